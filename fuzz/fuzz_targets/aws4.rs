//! `AWS4-HMAC-SHA256`: no input panics, and none is let in.

#![no_main]

use flowgate::auth::Family;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| flowgate_fuzz::check(Family::Obs, input));
