//! The allocator of every service, and its settings.
#![allow(unsafe_code, reason = "the allocator finds its settings under a name that is not Rust's")]

/// Services make and drop many small values on several threads. This allocator is made for that, and takes a good part less
/// of the processor than the system's: `docs/performance.md` has the figures. What libraries in C allocate comes from it too: else
/// the system's allocator keeps an arena for each thread beside it, which was 37 MiB in `weir up` after an hour.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// By default there are four arenas for each processor of the machine, also where a service may use one of sixty-four, and each
/// keeps what was freed in it for ten seconds after it was last used: in one that is used seldom, for ever. So a process that
/// needs 40 MiB had 150. The environment overrides it: `MALLOC_CONF=narenas:16`.
#[unsafe(export_name = "malloc_conf")]
static SETTINGS: &[u8; 30] = b"narenas:2,dirty_decay_ms:1000\0";
