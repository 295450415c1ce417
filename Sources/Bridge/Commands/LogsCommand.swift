// `bridged logs`: the log of the service, which systemd keeps; elsewhere the log is on standard error, and nobody keeps it.

import Glibc

/// Hands over to journalctl where systemd runs the service.
package enum LogsCommand {
  private static let unit = "bridged.service"
  /// Where systemd looks for units of the system (systemd.unit(5)).
  private static let unitDirectories = [
    "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
    "/lib/systemd/system",
  ]

  /// Becomes journalctl, so that its pager and its keys work as they do there. Returns only by throwing why it cannot.
  package static func run(follow: Bool, lines: Int?) throws(CommandFailure) {
    guard hasService(root: "") else {
      throw CommandFailure(
        .notFound,
        "systemd runs no service \(unit) here. A bridge writes its log to standard error: the terminal in which it was "
          + "started, the file it was sent to, or `docker compose logs` for a container")
    }
    guard let program = Programs.find("journalctl", path: "/usr/bin:/bin") else {
      throw CommandFailure(.failed, "the program journalctl, which has the log of the service, is not installed")
    }
    // What is printed before is buffered in this process only.
    fflush(nil)
    var arguments = ([program] + arguments(follow: follow, lines: lines)).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    _ = execv(program, &arguments)
    throw CommandFailure(.failed, "\(program): \(systemError())")
  }

  static func arguments(follow: Bool, lines: Int?) -> [String] {
    ["--unit", unit] + (lines.map { ["--lines", String($0)] } ?? []) + (follow ? ["--follow"] : [])
  }

  /// Whether systemd runs the machine (sd_booted(3)) and knows the service. `root` is where the file system begins.
  static func hasService(root: String) -> Bool {
    access("\(root)/run/systemd/system", F_OK) == 0
      && unitDirectories.contains { access("\(root)\($0)/\(unit)", F_OK) == 0 }
  }
}
