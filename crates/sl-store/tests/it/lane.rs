//! Groups, bounds and receipts.

use std::time::Duration;

use sl_store::{Bounds, Unwritten, lane};

const BOUNDS: Bounds = Bounds { waiting: 10, commit: 4, gather: Duration::from_millis(5) };

#[tokio::test(start_paused = true)]
async fn a_batch_takes_whatever_waits_up_to_its_bound() {
    let (lane, mut intake) = lane(BOUNDS);
    let receipts: Vec<_> =
        [vec![1, 2], vec![3], vec![4, 5, 6], vec![7]].map(|it| lane.append(it).unwrap()).into();
    assert_eq!(lane.room(), 3);
    let first = intake.take().await.unwrap();
    // A group is never divided.
    assert_eq!(first.items(), [1, 2, 3, 4, 5, 6]);
    let why = Unwritten::Failed("no room".into());
    // The third group was half written: that is not written.
    first.settle(4, 9, Some(&why));
    assert_eq!(lane.room(), 9);
    intake.take().await.unwrap().settle(1, 10, None);
    let mut told = Vec::new();
    for receipt in receipts {
        told.push(receipt.await);
    }
    assert_eq!(told, [Ok(9), Ok(9), Err(why), Ok(10)]);
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_gives_back() {
    let (lane, mut intake) = lane(BOUNDS);
    let receipt = lane.append((0..8).collect()).unwrap();
    assert_eq!(lane.append(vec![8, 9, 10]).unwrap_err().0, [8, 9, 10]);
    let other = lane.append(vec![8, 9]).unwrap();
    drop(other);
    assert_eq!(
        lane.append(vec![10]).unwrap_err().to_string(),
        "the lane to the disk is full; 1 entries come back"
    );
    let batch = intake.take().await.unwrap();
    drop(batch);
    assert_eq!(receipt.await, Err(Unwritten::Stopped));
    // Nobody waits for the second group: it is written all the same.
    assert_eq!(intake.take().await.unwrap().items(), [8, 9]);
    drop(intake);
    assert_eq!(lane.append(vec![1]).unwrap_err().0, [1]);
}

#[tokio::test(start_paused = true)]
async fn commits_keep_their_distance_under_load_and_none_at_rest() {
    let (lane, mut intake) = lane(BOUNDS);
    let begun = tokio::time::Instant::now();
    let _unheard = lane.append(vec![1]).unwrap();
    let _first = intake.take().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let _unheard = lane.append(vec![2]).unwrap();
    let _second = intake.take().await.unwrap();
    assert_eq!(begun.elapsed().as_millis(), 5);
    tokio::time::advance(Duration::from_millis(50)).await;
    let _unheard = lane.append(vec![3]).unwrap();
    let _third = intake.take().await.unwrap();
    assert_eq!(begun.elapsed().as_millis(), 55);
    // The end does not wait.
    let _unheard = lane.append(vec![4]).unwrap();
    intake.close();
    assert_eq!(intake.take().await.unwrap().items(), [4]);
    assert!(intake.take().await.is_none());
    assert_eq!(begun.elapsed().as_millis(), 55);
}
