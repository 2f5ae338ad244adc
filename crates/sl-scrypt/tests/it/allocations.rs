//! Nothing is allocated in scan and batch: counted by this binary's own allocator, by thread.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use sl_pow::Algorithm;
use sl_scrypt::{Scrypt, candidates};
use sl_units::{Hash256, Target};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all work is the system allocator's; the count allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn scan_and_batch_allocate_nothing() {
    for row in Scrypt.engines().into_iter().chain(candidates()) {
        if !(row.available)() {
            continue;
        }
        let mut engine = (row.make)().expect("memory");
        let count = 2 * engine.lanes() + 1;
        let headers = vec![[5; 80]; count];
        let mut hashes = vec![Hash256::ZERO; count];
        let mut hits = Vec::with_capacity(count);
        let before = COUNT.with(Cell::get);
        engine.batch(&headers, &mut hashes);
        engine.scan(&[5; 80], 0, count as u32, Target::MAX, &mut hits);
        assert_eq!(COUNT.with(Cell::get), before, "{}", row.name);
        assert_eq!(hits.len(), count);
    }
}
