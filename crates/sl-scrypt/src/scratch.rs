//! The memory of ROMix, V: taken when an engine is made, given back when it goes.
//!
//! - **Lazy**: pages are the system's zero pages until they are written, so they come from the
//!   node of the thread that hashes, not of the one that made the engine.
//! - **Huge pages** are asked for from one huge page on: less is not worth rounding up (`NOTES.md`).
//! - **A pool** keeps what is given back, without its pages, up to [`MOST_KEPT`].
//! - **No memory** is an error, never an abort.

use std::{
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

use thiserror::Error;

use crate::lanes::Line;

/// A huge page of x86-64, and of aarch64 with pages of 4 KiB.
const HUGE_PAGE: usize = 2 << 20;

/// Blocks are multiples of the largest page that is usual anywhere: 64 KiB, on aarch64.
const PAGE: usize = 64 << 10;

/// Address space that the pool keeps for the next engine, in bytes; on Linux without pages.
const MOST_KEPT: usize = 64 << 20;

/// Blocks that the pool keeps.
const MOST_BLOCKS: usize = 64;

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

/// Lines for one engine, zero at first. They go back to the pool when it is dropped.
pub(crate) struct Scratch {
    /// `None` only while it is dropped, or when no lines were asked for.
    block: Option<Block>,
    lines: usize,
    home: Home,
}

/// Which thread's memory it is.
///
/// ```text
/// Nowhere --first use--> Made here --use by another thread--> Settled
/// ```
///
/// An engine is made and tested on one thread and then hashes on another, perhaps on another node
/// of the machine. That thread gets new pages of its own, once: engines that wander on keep them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    Nowhere,
    Made(ThreadId),
    Settled,
}

impl Scratch {
    /// Takes so many lines.
    pub(crate) fn take(lines: usize) -> Result<Self, NoMemory> {
        if lines == 0 {
            return Ok(Self { block: None, lines, home: Home::Settled });
        }
        let bytes = lines.checked_mul(size_of::<Line>()).ok_or(NoMemory::TOO_LARGE)?;
        let block = pool().take(bytes)?;
        Ok(Self { block: Some(block), lines, home: Home::Nowhere })
    }

    /// How many lines it has.
    pub(crate) const fn len(&self) -> usize {
        self.lines
    }

    /// The first lines of it, at most all. What is in them is left over from an earlier use.
    pub(crate) fn lines(&mut self, count: usize) -> &mut [Line] {
        let Some(block) = &mut self.block else { return &mut [] };
        if self.home != Home::Settled {
            let here = thread::current().id();
            match self.home {
                Home::Made(maker) if maker != here => {
                    block.forget_pages();
                    self.home = Home::Settled;
                }
                _ => self.home = Home::Made(here),
            }
        }
        &mut block.lines()[..count.min(self.lines)]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            pool().give_back(block);
        }
    }
}

/// Memory that cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{bytes} bytes of scratch memory cannot be had: {cause}")]
pub(crate) struct NoMemory {
    /// Bytes asked for.
    pub(crate) bytes: usize,
    /// What the operating system says.
    pub(crate) cause: String,
}

impl NoMemory {
    const TOO_LARGE: Self = Self { bytes: usize::MAX, cause: String::new() };

    fn new(bytes: usize, cause: &io::Error) -> Self {
        Self { bytes, cause: cause.to_string() }
    }
}

/// What engines hold in this process, and whether huge pages were to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScratchReport {
    /// Bytes that engines hold now.
    pub in_use: usize,
    /// Bytes of address space that are kept for the next engine; on Linux without pages.
    pub kept: usize,
    /// Of the bytes in use, those for which huge pages were asked.
    pub huge_asked: usize,
    /// The system's answer (`errno`) when it last refused to listen.
    pub huge_refused: Option<i32>,
}

/// The scratch memory of this process.
#[must_use]
pub fn scratch_report() -> ScratchReport {
    pool().report()
}

/// Whether the engines' memory may be in huge pages. Printed, it names the cure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HugePages {
    /// No engine is large enough to want them.
    NotAsked,
    /// They were asked for, and nothing speaks against it. (How many there are stands in
    /// `AnonHugePages` of `/proc/self/smaps_rollup`.)
    Asked,
    /// The system's administrator has switched them off.
    Never,
    /// The system does not know them, by this `errno`.
    Refused(i32),
}

impl ScratchReport {
    /// What became of huge pages. `enabled` is what stands in
    /// `/sys/kernel/mm/transparent_hugepage/enabled`, if there is such a file: Linux takes the
    /// asking in any case, and says only there that it will not follow.
    ///
    /// ```
    /// use sl_scrypt::{HugePages, ScratchReport};
    ///
    /// let report = ScratchReport { huge_asked: 2 << 20, ..ScratchReport::default() };
    /// assert_eq!(report.huge_pages(Some("always [madvise] never")), HugePages::Asked);
    /// let off = report.huge_pages(Some("always madvise [never]"));
    /// assert!(off.to_string().contains("echo madvise"));
    /// ```
    #[must_use]
    pub fn huge_pages(&self, enabled: Option<&str>) -> HugePages {
        match (self.huge_refused, enabled) {
            (Some(errno), _) => HugePages::Refused(errno),
            _ if self.huge_asked == 0 => HugePages::NotAsked,
            (_, Some(text)) if text.contains("[never]") => HugePages::Never,
            _ => HugePages::Asked,
        }
    }
}

impl fmt::Display for HugePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("huge pages are not needed: no engine holds 2 MiB"),
            Self::Asked => f.write_str("huge pages are asked for"),
            Self::Never => f.write_str(
                "huge pages are switched off; as root: echo madvise > \
                 /sys/kernel/mm/transparent_hugepage/enabled",
            ),
            Self::Refused(errno) => write!(
                f,
                "huge pages are refused ({}); use a kernel with CONFIG_TRANSPARENT_HUGEPAGE, or \
                 go on without: it costs a few percent at most",
                io::Error::from_raw_os_error(*errno)
            ),
        }
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    // Nothing in it can be left half done.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Blocks that wait for their next engine, and the counts.
struct Pool {
    kept: Vec<Block>,
    in_use: usize,
    huge_asked: usize,
    huge_refused: Option<i32>,
}

impl Pool {
    const fn new() -> Self {
        Self { kept: Vec::new(), in_use: 0, huge_asked: 0, huge_refused: None }
    }

    fn take(&mut self, bytes: usize) -> Result<Block, NoMemory> {
        let fits = |block: &Block| block.bytes >= bytes && block.bytes / 2 <= bytes;
        let kept = self.kept.iter().position(fits).map(|i| self.kept.swap_remove(i));
        let block = match kept {
            Some(block) => block,
            None => self.map(bytes)?,
        };
        self.in_use += block.bytes;
        self.huge_asked += block.asked();
        Ok(block)
    }

    fn map(&mut self, bytes: usize) -> Result<Block, NoMemory> {
        let rounded = bytes.checked_next_multiple_of(PAGE).ok_or(NoMemory::TOO_LARGE)?;
        let mut block = Block::map(rounded).map_err(|cause| NoMemory::new(bytes, &cause))?;
        if bytes >= HUGE_PAGE {
            match block.ask_huge() {
                Ok(()) => block.huge = true,
                Err(refused) => self.huge_refused = refused.raw_os_error(),
            }
        }
        Ok(block)
    }

    fn give_back(&mut self, mut block: Block) {
        self.in_use -= block.bytes;
        self.huge_asked -= block.asked();
        let fits = self.kept_bytes() + block.bytes <= MOST_KEPT;
        if fits && self.kept.len() < MOST_BLOCKS {
            block.forget_pages();
            self.kept.push(block);
        }
    }

    fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|block| block.bytes).sum()
    }

    fn report(&self) -> ScratchReport {
        ScratchReport {
            in_use: self.in_use,
            kept: self.kept_bytes(),
            huge_asked: self.huge_asked,
            huge_refused: self.huge_refused,
        }
    }
}

/// Memory of the system's own: aligned for lines, to a huge page if it has one, initialised.
struct Block {
    start: *mut Line,
    bytes: usize,
    /// Huge pages were asked for.
    huge: bool,
}

// SAFETY: it owns its memory alone, as a box does.
unsafe impl Send for Block {}

impl Block {
    const fn asked(&self) -> usize {
        if self.huge { self.bytes } else { 0 }
    }

    const fn lines(&mut self) -> &mut [Line] {
        // SAFETY: `start` is aligned and has `bytes` bytes that are initialised (zero at first)
        // and that nobody else refers to; a line is any bytes.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes / size_of::<Line>()) }
    }
}

#[cfg(unix)]
mod system {
    use std::{io, ptr};

    use rustix::mm::{self, MapFlags, ProtFlags};

    use super::{Block, HUGE_PAGE};
    use crate::lanes::Line;

    impl Block {
        pub(super) fn map(bytes: usize) -> io::Result<Self> {
            let spare = if bytes < HUGE_PAGE { 0 } else { HUGE_PAGE };
            let whole = bytes.checked_add(spare).ok_or(io::ErrorKind::OutOfMemory)?;
            // SAFETY: a new mapping, at an address of the system's choice.
            let start = unsafe {
                let access = ProtFlags::READ | ProtFlags::WRITE;
                mm::mmap_anonymous(ptr::null_mut(), whole, access, MapFlags::PRIVATE)?
            };
            // What stands before and behind the aligned part goes back.
            let before = if spare == 0 { 0 } else { start.cast::<u8>().align_offset(HUGE_PAGE) };
            let before = before.min(spare);
            let aligned = start.wrapping_byte_add(before);
            for (piece, length) in
                [(start, before), (aligned.wrapping_byte_add(bytes), spare - before)]
            {
                if length > 0 {
                    // SAFETY: a part of the mapping, in whole pages, that nobody has seen.
                    unsafe { mm::munmap(piece, length)? };
                }
            }
            Ok(Self { start: aligned.cast::<Line>(), bytes, huge: false })
        }

        #[cfg(target_os = "linux")]
        pub(super) fn ask_huge(&self) -> io::Result<()> {
            // SAFETY: advice on its own mapping, which changes no contents.
            let asked =
                unsafe { mm::madvise(self.start.cast(), self.bytes, mm::Advice::LinuxHugepage) };
            Ok(asked?)
        }

        /// The contents are zero, or what they were; the next thread that writes gives them
        /// pages.
        pub(super) fn forget_pages(&mut self) {
            #[cfg(target_os = "linux")]
            {
                // SAFETY: advice on its own private mapping, borrowed alone: whatever is in it
                // afterwards, zeros or the old lines, is initialised. A refusal changes nothing.
                let _ = unsafe {
                    mm::madvise(self.start.cast(), self.bytes, mm::Advice::LinuxDontNeed)
                };
            }
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            // SAFETY: its own mapping, with no reference left. Nothing can be done if it fails.
            let _ = unsafe { mm::munmap(self.start.cast(), self.bytes) };
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::{
        alloc::{Layout, alloc_zeroed, dealloc},
        io,
    };

    use super::Block;
    use crate::lanes::Line;

    fn layout(bytes: usize) -> io::Result<Layout> {
        Layout::from_size_align(bytes, align_of::<Line>())
            .map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    impl Block {
        pub(super) fn map(bytes: usize) -> io::Result<Self> {
            // SAFETY: the size is not zero: it is a multiple of a page that was asked for.
            let start = unsafe { alloc_zeroed(layout(bytes)?) };
            if start.is_null() {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            Ok(Self { start: start.cast::<Line>(), bytes, huge: false })
        }

        pub(super) const fn forget_pages(&mut self) {}
    }

    impl Drop for Block {
        fn drop(&mut self) {
            if let Ok(layout) = layout(self.bytes) {
                // SAFETY: it was allocated with this layout.
                unsafe { dealloc(self.start.cast(), layout) }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Block {
    /// Only Linux has the question.
    const fn ask_huge(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(pool: &mut Pool, bytes: usize) -> (Block, usize) {
        let block = pool.take(bytes).expect("little memory");
        let start = block.start as usize;
        (block, start)
    }

    #[test]
    fn blocks_are_aligned_zero_and_writable() {
        for bytes in [64, 4096, 128 << 10, 768 << 10, HUGE_PAGE, 5 * HUGE_PAGE + 64] {
            let mut pool = Pool::new();
            let (mut block, start) = block_of(&mut pool, bytes);
            let aligned = if bytes >= HUGE_PAGE { HUGE_PAGE } else { align_of::<Line>() };
            assert_eq!(start % aligned, 0, "{bytes}");
            let lines = block.lines();
            assert!(lines.len() * 64 >= bytes);
            assert!(lines.iter().all(|line| line.0 == [0; 16]), "{bytes}");
            lines.fill(Line([7; 16]));
            assert_eq!(pool.report().in_use, block.bytes);
            pool.give_back(block);
            assert_eq!((pool.report().in_use, pool.report().huge_asked), (0, 0));
        }
    }

    #[test]
    fn what_is_given_back_is_taken_again_and_the_pool_has_a_bound() {
        let mut pool = Pool::new();
        let (block, start) = block_of(&mut pool, 1 << 20);
        pool.give_back(block);
        let (again, same) = block_of(&mut pool, 900 << 10);
        assert_eq!(start, same);
        let (small, other) = block_of(&mut pool, 64 << 10);
        assert_ne!(other, same);
        pool.give_back(again);
        pool.give_back(small);
        // A block far too large for the question stays.
        let (tiny, place) = block_of(&mut pool, 65 << 10);
        assert_ne!(place, start);
        pool.give_back(tiny);
        let many: Vec<Block> = (0..40).map(|_| block_of(&mut pool, HUGE_PAGE).0).collect();
        many.into_iter().for_each(|block| pool.give_back(block));
        let (huge, _) = block_of(&mut pool, 2 * MOST_KEPT);
        pool.give_back(huge);
        let report = pool.report();
        assert!(report.kept <= MOST_KEPT, "{report:?}");
        assert_eq!((report.in_use, report.huge_asked), (0, 0));
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        for lines in [usize::MAX, usize::MAX / 64, 1 << 54, 1 << 52] {
            assert!(Scratch::take(lines).is_err(), "{lines}");
        }
        assert!(Scratch::take(0).expect("nothing").lines(5).is_empty());
    }

    #[test]
    fn the_thread_that_hashes_gets_pages_of_its_own_once() {
        let mut scratch = Scratch::take(8).expect("little memory");
        scratch.lines(8)[3] = Line([1; 16]);
        assert_eq!(scratch.lines(8)[3].0, [1; 16]);
        let mut scratch = thread::spawn(move || {
            let found = scratch.lines(8)[3].0;
            assert!(!cfg!(target_os = "linux") || found == [0; 16]);
            scratch.lines(8)[3] = Line([2; 16]);
            scratch
        })
        .join()
        .expect("no panic");
        assert_eq!(scratch.lines(8)[3].0, [2; 16]);
        assert_eq!((scratch.lines(99).len(), scratch.len()), (8, 8));
    }

    #[test]
    fn the_cure_is_named() {
        let check = |asked, refused, enabled, expect: &str| {
            let report = ScratchReport {
                huge_asked: asked,
                huge_refused: refused,
                ..ScratchReport::default()
            };
            let found = report.huge_pages(enabled).to_string();
            assert!(found.contains(expect), "{found}");
        };
        check(0, None, None, "not needed");
        check(HUGE_PAGE, None, Some("always [madvise] never"), "are asked for");
        check(HUGE_PAGE, None, Some("always madvise [never]"), "echo madvise >");
        check(0, Some(22), None, "CONFIG_TRANSPARENT_HUGEPAGE");
    }
}
