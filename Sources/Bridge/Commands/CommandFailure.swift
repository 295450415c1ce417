// Why a command that asks a running bridge has come to nothing, and the exit status that says so to scripts.

/// One sentence for the person who typed the command, and the exit status.
package struct CommandFailure: Error, Equatable, CustomStringConvertible {
  /// Exit statuses, in the numbers of sysexits.h where it has one.
  package enum Status: Int32, Sendable {
    /// The bridge answered with an error.
    case failed = 1
    /// There is no such session (EX_NOINPUT).
    case notFound = 66
    /// No bridge answers (EX_UNAVAILABLE).
    case notRunning = 69
    /// The bridge runs, and no turn can be started now (EX_TEMPFAIL).
    case notReady = 75
    /// The bridge refuses the key (EX_NOPERM).
    case keyRefused = 77
  }

  /// Exit status of the program.
  package let status: Status
  /// Not escaped: it may quote the bridge.
  package let description: String

  init(_ status: Status, _ description: String) {
    self.status = status
    self.description = description
  }
}
