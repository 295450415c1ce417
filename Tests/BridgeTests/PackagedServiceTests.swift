// What `bridged doctor` says is left to do for the service of the Debian package.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct PackagedServiceTests {
  private static let unit = "usr/lib/systemd/system/bridged.service"

  /// The steps on a machine that has these files.
  private func steps(with files: [String]) throws -> [String] {
    let root = try TemporaryDirectory()
    defer { root.remove() }
    for file in files {
      let directory = file.split(separator: "/").dropLast().joined(separator: "/")
      try FileContents.makeDirectories("\(root.path)/\(directory)")
      try root.write("", to: file)
      chmod("\(root.path)/\(file)", 0o755)
    }
    return PackagedService(root: root.path).steps
  }

  @Test func withoutThePackageThereIsNothingToDo() throws {
    #expect(try steps(with: []) == [])
    #expect(try steps(with: ["etc/systemd/system/bridged.service"]) == [], "deploy/install.sh has started that")
  }

  @Test func codexIsInstalledLoggedInAndTheServiceStarted() throws {
    let found = try steps(with: [Self.unit])
    #expect(found.count == 2)
    #expect(found.first?.contains("npm install -g @openai/codex && runuser -u bridged -- env HOME=") == true)
    #expect(found.last?.hasSuffix("systemctl enable --now bridged") == true)
  }

  @Test(arguments: ["usr/local/bin/codex", "usr/bin/codex"])
  func aCodexThatIsThereIsOnlyLoggedIn(_ codex: String) throws {
    let found = try steps(with: [Self.unit, codex])
    #expect(found.count == 2)
    #expect(found.first?.contains("npm") == false)
    #expect(found.first?.hasSuffix("codex login --device-auth") == true)
  }

  @Test func whoIsLoggedInOnlyStarts() throws {
    let found = try steps(with: [Self.unit, "var/lib/bridged/codex/auth.json"])
    #expect(found.count == 1)
    #expect(found.first?.hasSuffix("systemctl enable --now bridged") == true)
  }

  @Test(arguments: ["multi-user.target.wants/bridged.service", "sockets.target.wants/bridged.socket"])
  func anEnabledServiceNeedsNothing(_ link: String) throws {
    #expect(try steps(with: [Self.unit, "etc/systemd/system/\(link)"]) == [])
  }
}
