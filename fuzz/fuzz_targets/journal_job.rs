#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sl_fuzz::journal_job(bytes));
