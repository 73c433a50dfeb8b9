//! The application itself: the manifests are what is tested here.
