use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use sl_app::ALGORITHM;
use sl_chain::{
    coins::Ticker,
    explain::{Given, Options, Verdict, bytes_of, explain, plan},
};
use sl_units::{Bits, Hash256};

use crate::{
    args::{Auxpow, Explain, Global},
    console::{self, paint::Paint},
    failure::Failure,
    layers::Environment,
    output,
};

/// More than any block of any chain, as hexadecimal text.
const MOST_BYTES: u64 = 32 << 20;

pub(super) fn run(
    words: &Auxpow,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let paint = Paint::new(output::colour_on_stdout(environment));
    match words {
        Auxpow::Explain(words) => explained(words, global, paint),
        Auxpow::Plan { coins } => planned(coins, global, paint),
    }
}

fn explained(words: &Explain, global: &Global, paint: Paint) -> Result<ExitCode, Failure> {
    let given = Given {
        bytes: words.input.as_deref().map(bytes).transpose()?.unwrap_or_default(),
        header: words.header.as_deref().map(bytes).transpose()?,
        proof: words.proof.as_deref().map(bytes).transpose()?,
        hash: words.hash.as_deref().map(hash).transpose()?,
        bits: words.bits.as_deref().map(bits).transpose()?,
    };
    if !given.bytes.is_empty() && given.header.is_some() && given.proof.is_some() {
        return Err(Failure::Usage(
            "--header and --proof are the whole already; leave FILE_OR_HEX out".into(),
        ));
    }
    let coin = words.coin.as_deref().map(str::parse::<Ticker>).transpose();
    let coin = coin.map_err(|wrong| Failure::Usage(wrong.to_string()))?.map(Ticker::row);
    if let Some(row) = coin.filter(|row| row.chain_id.is_none()) {
        return Err(Failure::Usage(format!(
            "--coin {} is a parent: name the auxiliary coin that the proof is for, as in DOGE",
            row.ticker
        )));
    }
    let mut prover = sl_app::registry()
        .best(ALGORITHM)
        .map_err(|wrong| Failure::System(format!("nothing here can hash: {wrong}")))?;
    let options = Options { coin, testnet: words.testnet, repair: true };
    match explain(&given, &options, &mut |header| prover.hash(header).hash()) {
        Ok(told) => {
            if global.json {
                output::print_json(&told);
            } else {
                output::print(&console::auxpow::explanation(&told, words.full, paint));
            }
            Ok(ExitCode::from(match told.verdict {
                Verdict::Valid => 0,
                Verdict::Refused { .. } => 1,
                Verdict::Incomplete { .. } => 2,
            }))
        }
        Err(unread) => {
            if global.json {
                output::print_json(&json!({"verdict": "unread", "tried": unread.tried}));
            } else {
                output::print(&console::auxpow::unread(&unread, words.full, paint));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn planned(coins: &[String], global: &Global, paint: Paint) -> Result<ExitCode, Failure> {
    let plan = plan(coins).map_err(|wrong| Failure::Usage(wrong.to_string()))?;
    if global.json {
        output::print_json(&plan);
    } else {
        output::print(&console::plan::plan(&plan, paint));
    }
    Ok(if plan.height.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Bytes by a file's name, as hexadecimal digits, or from standard input.
fn bytes(word: &str) -> Result<Vec<u8>, Failure> {
    if word == "-" {
        let read = read_all(io::stdin().lock());
        return decoded("standard input", &read.map_err(failed(Path::new("standard input")))?);
    }
    let path = Path::new(word);
    // A name that long is no name; asking for it would be an error of its own.
    if word.len() < 4096 && path.exists() {
        let read = File::open(path).and_then(read_all);
        return decoded(word, &read.map_err(failed(path))?);
    }
    if word.starts_with("0x")
        || word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
    {
        return decoded("the words given", word.as_bytes());
    }
    Err(Failure::Usage(format!("there is no file {word}, and it is no hexadecimal text either")))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = PathBuf::from(path);
    move |cause| Failure::File { path, doing: "read", cause }
}

fn read_all(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut raw)?;
    if raw.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!(
            "more than {} MiB: no block is that large",
            MOST_BYTES >> 20
        )));
    }
    Ok(raw)
}

fn decoded(what: &str, raw: &[u8]) -> Result<Vec<u8>, Failure> {
    match bytes_of(raw) {
        Ok(bytes) if bytes.is_empty() => Err(Failure::Usage(format!("{what}: no bytes"))),
        Ok(bytes) => Ok(bytes),
        Err(wrong) => Err(Failure::Usage(format!("{what}: {wrong}"))),
    }
}

fn hash(text: &str) -> Result<Hash256, Failure> {
    text.parse().map_err(|wrong| Failure::Usage(format!("--hash: {wrong}")))
}

fn bits(text: &str) -> Result<Bits, Failure> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u32::from_str_radix(digits, 16).map(Bits::from_u32).map_err(|_| {
        Failure::Usage(format!(
            "--bits: found {text:?}, allowed are 8 hexadecimal digits as in 1b0364e3"
        ))
    })
}
