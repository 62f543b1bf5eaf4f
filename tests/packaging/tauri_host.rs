//! An app without Tauri: starts what lies below a resource directory, reports, waits for a line and stops it.

#[path = "../../packaging/tauri/sidecar.rs"]
mod sidecar;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

fn header(stdout: &mut impl Read) -> io::Result<String> {
    let mut size = [0; 4];
    stdout.read_exact(&mut size)?;
    let mut header = vec![0; u32::from_le_bytes(size) as usize];
    stdout.read_exact(&mut header)?;
    Ok(String::from_utf8(header).expect("UTF-8").trim_end().to_owned())
}

fn run(resources: PathBuf, limit: Duration) -> io::Result<()> {
    let logged = Arc::new(AtomicUsize::new(0));
    let counter = logged.clone();
    let command = sidecar::serve(&sidecar::executable(&resources));
    let (running, mut stdout) = sidecar::spawn(command, move |bytes| {
        counter.fetch_add(bytes.len(), Ordering::SeqCst);
    })?;
    println!("{}", header(&mut stdout).unwrap_or_default());
    io::stdout().flush()?;
    io::stdin().read_line(&mut String::new())?;
    let status = running.stop(limit)?;
    println!("{status}; {} bytes logged", logged.load(Ordering::SeqCst));
    Ok(())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let resources = PathBuf::from(arguments.next().expect("a resource directory"));
    let limit_ms = arguments
        .next()
        .expect("a limit in milliseconds")
        .parse()
        .expect("a number");
    if let Err(fault) = run(resources, Duration::from_millis(limit_ms)) {
        eprintln!("{fault}");
        std::process::exit(1);
    }
}
