//! `weir`: Weir on one machine, and the tools of those who run it.

fn main() -> std::process::ExitCode {
    weir::cmd::main()
}
