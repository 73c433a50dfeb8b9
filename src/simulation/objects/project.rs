//! JSON of the API objects.
