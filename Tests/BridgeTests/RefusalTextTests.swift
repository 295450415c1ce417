// What the texts mean with which Codex refuses a call. They were taken from the program itself.

import Testing

@testable import Bridge

struct RefusalTextTests {
  private static let path = "/home/me/.codex/sessions/2026/11/29/rollout-2026-11-29T12-09-40-01a2.jsonl"

  /// What is said of a thread's file.
  private static func unreadable(_ reason: String) -> String {
    "failed to read thread: thread-store internal error: failed to read session metadata \(path): "
      + "thread-store internal error: failed to read session metadata \(path): \(reason)"
  }

  @Test(arguments: [
    unreadable("rollout at \(path) is empty"),
    unreadable("rollout at \(path) does not start with session metadata"),
    unreadable("stream did not contain valid UTF-8"), unreadable("Permission denied (os error 13)"),
    unreadable("Input/output error (os error 5)"), unreadable("Is a directory (os error 21)"),
    "failed to read thread: thread-store internal error: session metadata \(path) belongs to thread 01, expected 02",
    "no rollout found for thread id 01a2", "thread not found: 01a2", "session 01a2 is archived",
    "invalid paginated history lineage for 01a2: missing source rollout",
    "invalid session id: invalid character: found `x` at 1",
  ])
  func aThreadThatNobodyWillReadIsLost(_ message: String) {
    #expect(CodexPayload.meansUnknownThread(message))
  }

  @Test(arguments: [
    unreadable("No file descriptors available (os error 24)"), unreadable("Cannot allocate memory (os error 12)"),
    unreadable("Stale file handle (os error 116)"), unreadable("Too many open files in system (os error 23)"),
    "error resuming thread: Fatal error: Failed to initialize session: thread-store internal error: failed to open "
      + "thread writer lock /home/me/.codex/thread-writer-locks/01.lock: No file descriptors available (os error 24)",
    "failed to list thread history: thread-store internal error: failed to open thread history database: failed to "
      + "open thread history DB at /home/me/.codex/thread_history_1.sqlite: error returned from database: (code: 26) "
      + "file is not a database",
    "failed to load configuration: Failed to read requirements file /etc/codex/requirements.toml: No file",
    "thread 01a2 already has an active writer", "thread 01a2 is closing; retry thread/resume", "",
  ])
  func whatPassesOrConcernsAllThreadsCostsNone(_ message: String) {
    #expect(!CodexPayload.meansUnknownThread(message))
  }

  @Test func knowsThatATurnIsOver() {
    #expect(CodexPayload.meansTurnIsOver("no active turn to interrupt"))
    #expect(CodexPayload.meansTurnIsOver("expected active turn id a but found b"))
    #expect(CodexPayload.meansTurnIsOver("thread not found: 01a2"))
    #expect(!CodexPayload.meansTurnIsOver("Server overloaded; retry later."))
  }

  @Test(arguments: [
    ("failed to read /home/me/.codex/a.jsonl: gone", "failed to read a.jsonl: gone"),
    ("“/a/b” and (/c/d/e), `/f/g/`", "“/a/b” and (e), `g`"), ("/a/b", "b"), ("no=/var/lib/x;y", "no=x;y"),
    ("remote https://host/a/b and and/or 1/2/3", "remote https://host/a/b and and/or 1/2/3"),
    ("/health is one name", "/health is one name"), ("", ""), ("//", ""), ("é /ü/ö ", "é ö "),
  ])
  func aClientIsNotToldWhereThingsAre(_ text: String, _ shown: String) {
    #expect(text.withoutDirectories == shown)
  }

  @Test func aRefusalIsToldWithoutPaths() {
    let error = APIError(
      EngineError.rejected(Self.unreadable("No file descriptors available (os error 24)")), hasStarted: false)
    #expect(error.status == 502)
    #expect(!error.message.contains("/home"))
    #expect(error.message.contains("No file descriptors available"))
  }
}
