//! Finds the sidecar among a Tauri app's resources, starts it and stops it. Needs nothing but std: put the file into
//! `src-tauri/src/` and `mod sidecar;` into `main.rs`. What goes over the pipes is in `sidecar/PROTOCOL.md`.
//!
//! ```ignore
//! .setup(|app| {
//!     let command = sidecar::serve(&sidecar::executable(&app.path().resource_dir()?));
//!     let log = |bytes: &[u8]| eprint!("{}", String::from_utf8_lossy(bytes));
//!     let (running, stdout) = sidecar::spawn(command, log)?;
//!     std::thread::spawn(move || read_frames(stdout)); // yours; the first is `hello`
//!     app.manage(std::sync::Mutex::new(Some(running)));
//!     Ok(())
//! })
//! // and in app.run(|app, event| …), at RunEvent::Exit, which comes however the app is left:
//! let running = app.state::<std::sync::Mutex<Option<sidecar::Sidecar>>>().lock().unwrap().take();
//! if let Some(sidecar) = running { sidecar.stop(std::time::Duration::from_secs(2))?; }
//! ```

use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What `bundle.resources` maps the folder to, and the executable's name (`build.py --name`).
const FOLDER: &str = "sidecar";
const NAME: &str = "arrow-sidecar";

const POLL: Duration = Duration::from_millis(5);

/// A running sidecar. If this is dropped, `stdin` closes, and it ends.
pub struct Sidecar {
    pub stdin: ChildStdin,
    child: Child,
}

/// The executable below Tauri's resource directory (`app.path().resource_dir()`), in development as in the shipped app.
pub fn executable(resource_dir: &Path) -> PathBuf {
    let name = format!("{NAME}{}", std::env::consts::EXE_SUFFIX);
    resource_dir.join(FOLDER).join(name)
}

/// The command that serves over the pipes. Add options to it, as `--allow-path`.
pub fn serve(executable: &Path) -> Command {
    let mut command = Command::new(executable);
    command.arg("serve");
    command
}

/// Starts it. What comes out of it is for a thread of yours: read on until its end, after `stop` too. `on_stderr` is
/// given what it logs, on a thread of its own: a pipe that nobody reads fills at 64 KiB, and the sidecar would then wait
/// for ever. The error names the executable and what to do.
pub fn spawn(
    mut command: Command,
    on_stderr: impl FnMut(&[u8]) + Send + 'static,
) -> io::Result<(Sidecar, ChildStdout)> {
    // std opens pipes close-on-exec: another child that held a copy of stdin would keep its end from being seen.
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    detach(&mut command);
    let mut child = command.spawn().map_err(|fault| explained(&command, fault))?;
    let stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    thread::spawn(move || drain(stderr, on_stderr));
    Ok((Sidecar { stdin, child }, stdout))
}

impl Sidecar {
    /// Closes its input, which tells it to end, and kills it after `limit`. It takes some milliseconds when idle.
    pub fn stop(self, limit: Duration) -> io::Result<ExitStatus> {
        let Sidecar { stdin, mut child } = self;
        drop(stdin);
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        child.kill()?;
        child.wait()
    }
}

fn drain(mut stderr: ChildStderr, mut on_stderr: impl FnMut(&[u8])) {
    let mut buffer = [0; 8192];
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => return,
            Ok(size) => on_stderr(&buffer[..size]),
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) => return on_stderr(format!("its stderr cannot be read: {fault}\n").as_bytes()),
        }
    }
}

/// A process group of its own: a Ctrl-C in the terminal of `tauri dev` reaches the app alone, which then stops it.
#[cfg(unix)]
fn detach(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// The same, and no console window: the executable is a console program, or it would have no stdin and no stdout.
#[cfg(windows)]
fn detach(command: &mut Command) {
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    std::os::windows::process::CommandExt::creation_flags(command, CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

fn explained(command: &Command, fault: io::Error) -> io::Error {
    let remedy = match fault.kind() {
        ErrorKind::NotFound => "Is the folder in bundle.resources, for this target?",
        ErrorKind::PermissionDenied => "Has the file kept its permission to be executed, and is it signed?",
        _ => "Is it for this system and processor?",
    };
    let program = Path::new(command.get_program()).display();
    io::Error::new(fault.kind(), format!("{program} cannot be started: {fault}. {remedy}"))
}
