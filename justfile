# The recipes are the commands of .ci/run, one by one.

# what there is
default:
    @just --list

# format
fmt:
    cargo fmt

# clippy, in every set of features that is supported
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets --all-features -- -D warnings
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --lib --no-default-features --features k8s-latest -- -D warnings

# every test that needs nothing but this machine
test:
    cargo test --locked --all-features

# the documentation, warnings denied
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features

# the tests that need a kind cluster: it is found or made; an hour
test-kind:
    STEADFAST_CLUSTER=kind cargo test --locked --all-features --test kind -- --ignored --test-threads=1

# the benchmarks
bench:
    cargo bench --locked

# how the embedded cluster grows: 100 to 5,000 nodes; some minutes
scale:
    cargo bench --locked --bench scale -- table 3

# the workshop's story on the embedded cluster
story:
    cargo run --locked --quiet

# licences, advisories and duplicates; needs cargo-deny
deny:
    cargo deny check

# what CI runs
ci:
    .ci/run
