//! The `steadfast` command: see [`steadfast::cli`].

fn main() -> std::process::ExitCode {
    steadfast::cli::main()
}
