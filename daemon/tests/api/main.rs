//! The daemon in process: its API by way of the router, and by way of real sockets where sockets are the point.

mod browse;
mod hygiene;
mod live;
mod openapi;
mod program;
mod races;
mod secrets;
mod support;
mod transfer;
mod travel;
mod what_if;
mod write;
