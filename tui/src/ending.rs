//! When the screens have to end without a key: a signal, or a terminal that is gone.
//!
//! Owns the waiting for both. Never ends anything itself.

/// Waits for a signal that asks the program to end, or for the terminal to go away.
pub(crate) async fn termination() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut hup)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        ) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = hup.recv() => {}
            () = hung_up() => {}
        }
    }
    #[cfg(not(unix))]
    std::future::pending::<()>().await;
}

/// Waits until the terminal that keys come from is gone. Usually SIGHUP says so; a program that is not the terminal's own
/// job gets none, and the event source would read nothing from it, over and over.
#[cfg(unix)]
async fn hung_up() {
    let (sender, gone) = tokio::sync::oneshot::channel();
    // Blocks for as long as the terminal is there, so it is no task of the runtime, which would wait for it at the end.
    std::thread::spawn(move || {
        if wait_for_hang_up() {
            let _ = sender.send(());
        }
    });
    if gone.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Blocks until the terminal is gone; `false` when that cannot be watched here.
#[cfg(unix)]
fn wait_for_hang_up() -> bool {
    use std::fs::File;
    use std::io::{IsTerminal, stdin};
    use std::os::fd::AsFd;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    // The same choice as the event source's.
    let stdin = stdin();
    let opened;
    let terminal = if stdin.is_terminal() {
        stdin.as_fd()
    } else {
        match File::open("/dev/tty") {
            Ok(file) => {
                opened = file;
                opened.as_fd()
            }
            Err(_) => return false,
        }
    };
    loop {
        // Nothing is asked for, so that keys do not wake it: a hang-up is reported always.
        let mut watched = [PollFd::from_borrowed_fd(terminal, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(_) => {
                let [watched] = watched;
                return watched
                    .revents()
                    .intersects(PollFlags::HUP | PollFlags::ERR);
            }
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
