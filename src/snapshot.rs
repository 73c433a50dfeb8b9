//! The snapshot assertion on availability.

/// Fails on any verdict but the expected one, then compares the run's availability with the approved snapshot.
///
/// The order matters: an approved snapshot never turns a violated, inconclusive or aborted run green. The snapshot is named after
/// the test, the application, the cluster, its profile and its seed; a first argument replaces the test's name, where one test
/// makes two snapshots that would be named alike.
#[macro_export]
macro_rules! assert_availability_snapshot {
    ($report:expr $(,)?) => {{
        fn here() {}
        $crate::assert_availability_snapshot!(
            $crate::experiment::test_name(::std::any::type_name_of_val(&here)),
            $report
        )
    }};
    ($name:expr, $report:expr $(,)?) => {{
        let report: &$crate::Report = &$report;
        report.assert_expected();
        $crate::insta::assert_snapshot!(report.snapshot_name(&$name), report.snapshot());
    }};
}
