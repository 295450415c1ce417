// What is left to do where the Debian package has installed the service: it brings no Codex, enables nothing and starts
// nothing.

import Glibc

/// The system service as deploy/package.sh installs it.
struct PackagedService {
  /// What all paths here are below: empty, or a directory of a test's own.
  var root = ""

  private static let unit = "/usr/lib/systemd/system/bridged.service"
  private static let home = "/var/lib/bridged"
  /// PATH of the unit. Other places, such as somebody's home directory, the service does not see.
  private static let path = ["/usr/local/bin", "/usr/bin"]

  /// The commands that make it run, each with what it does; none where there is no such service, or it is enabled already.
  var steps: [String] {
    guard exists(Self.unit), !isEnabled else { return [] }
    let start = "start the service, now and at every boot: systemctl enable --now bridged"
    return [login, start].compactMap(\.self)
  }

  /// Nil once the service's account is logged in, as far as the caller may see.
  private var login: String? {
    guard !exists("\(Self.home)/codex/auth.json") else { return nil }
    let command =
      "runuser -u bridged -- env HOME=\(Self.home) CODEX_HOME=\(Self.home)/codex codex login --device-auth"
    let directories = Self.path.map { root + $0 }.joined(separator: ":")
    guard Programs.find("codex", path: directories) == nil else {
      return "as root, log Codex in for the service: \(command)"
    }
    return "as root, install Codex and log it in for the service: npm install -g @openai/codex && \(command)"
  }

  private var isEnabled: Bool {
    ["multi-user.target.wants/bridged.service", "sockets.target.wants/bridged.socket"].contains {
      exists("/etc/systemd/system/\($0)")
    }
  }

  /// Also for a link whose target is not there, as in a `root` other than this machine's.
  private func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(root + path, &status) == 0
  }
}
