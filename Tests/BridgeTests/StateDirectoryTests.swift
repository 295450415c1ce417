// Where sessions are kept when nobody says so, and what is brought along.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct StateDirectoryTests {
  private let home: ScratchDirectory
  private let work: ScratchDirectory

  init() throws {
    home = try ScratchDirectory()
    work = try ScratchDirectory()
  }

  private func configuration(
    _ settings: [String: String] = [:], environment: [String: String]? = nil
  ) throws -> Configuration {
    try Configuration(
      sources: [.init(.flag, ["CODEX_WORKDIR": work.path].merging(settings) { $1 })],
      environment: environment ?? ["HOME": home.path])
  }

  private func refusal(_ configuration: Configuration) -> String? {
    do throws(ConfigurationError) {
      _ = try StateDirectory.open(configuration)
      return nil
    } catch {
      return error.description
    }
  }

  private static func mode(_ path: String) -> mode_t {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  @Test func isOnePerWorkingDirectoryAndOutsideOfIt() throws {
    let path = try StateDirectory.open(try configuration())
    let name = try #require(work.path.split(separator: "/").last)
    let digest = SHA256Digest(of: work.path).hex.prefix(8)
    #expect(path == home.file(".local/state/bridged/\(name)-\(digest)"))
    #expect(Self.mode(path) == 0o700)
    #expect(Self.mode(home.file(".local/state/bridged")) == 0o700)
    #expect(work.names == [])
    #expect(try StateDirectory.open(try configuration()) == path)
    let other = try ScratchDirectory()
    #expect(try StateDirectory.open(try configuration(["CODEX_WORKDIR": other.path])) != path)
  }

  /// By another name it is the same directory, with the same sessions.
  @Test func linksToTheWorkingDirectoryMakeNoDifference() throws {
    #expect(symlink(work.path, home.file("link")) == 0)
    let direct = try StateDirectory.open(try configuration())
    #expect(try StateDirectory.open(try configuration(["CODEX_WORKDIR": home.file("link")])) == direct)
  }

  @Test func thePlaceForStateMayBeElsewhere() throws {
    let environment = ["HOME": "/nonexistent", "XDG_STATE_HOME": home.file("state")]
    #expect(
      try StateDirectory.open(configuration(environment: environment)).hasPrefix(home.file("state/bridged/")))
    let relative = ["HOME": home.path, "XDG_STATE_HOME": "state"]
    #expect(try configuration(environment: relative).stateDirectory.hasPrefix(home.file(".local/state/bridged/")))
    let service = ["STATE_DIRECTORY": "\(home.file("bridged")):/other"]
    #expect(try configuration(environment: service).stateDirectory.hasPrefix(home.file("bridged/")))
  }

  @Test func withoutAHomeItSaysWhatToSet() throws {
    #expect(try refusal(configuration(environment: [:]))?.contains("CODEX_STATE_DIR") == true)
    let unwritable = try refusal(configuration(environment: ["HOME": "/proc/nowhere"]))
    #expect(unwritable?.contains("cannot be made") == true)
    #expect(unwritable?.contains("CODEX_STATE_DIR") == true)
  }

  @Test(arguments: ["/", "/\(String(repeating: "é", count: 120))", "/a/b\nc"]) func everyDirectoryHasAName(
    _ directory: String
  ) throws {
    let path = try #require(PersonalDirectories(environment: ["HOME": "/h"]).state(of: directory))
    let name = path.dropFirst("/h/.local/state/bridged/".count)
    #expect(!name.contains("/"))
    #expect((10...200).contains(name.utf8.count))
  }

  // MARK: What is brought along

  private static let map = "{\"sessions\":{\"a\":\"t\"}}"

  @Test func sessionsOfTheWorkingDirectoryAreCopiedOnce() throws {
    let names = [ThreadMap.fileName, SessionJournal.fileName, ChatThreadFile.name]
    for name in names { try work.write(name == ThreadMap.fileName ? Self.map : name, to: name) }
    try work.write("x", to: ".codex_threads.lock")
    let path = try StateDirectory.open(try configuration())
    #expect(ScratchDirectory.names(in: path) == names.sorted())
    for name in names {
      #expect(FileContents.read("\(path)/\(name)", limit: 99) == .bytes(Array((work.text(of: name) ?? "").utf8)))
    }
    #expect(work.text(of: ThreadMap.fileName) == Self.map)
    // Deleting the map forgets the sessions; they must not come back.
    for name in names { unlink("\(path)/\(name)") }
    #expect(try StateDirectory.open(try configuration()) == path)
    #expect(ScratchDirectory.names(in: path) == [])
    #expect(ScratchDirectory.names(in: home.file(".local/state/bridged")).count == 1)
  }

  @Test(.onLoop) @LoopActor func theCopiedSessionsGoOn() async throws {
    try work.write(Self.map, to: ThreadMap.fileName)
    let store = try await Sessions.inFiles(StateDirectory.open(try configuration()), queueLimit: 1)
    #expect(try await store.count() == 1)
    await store.close()
  }

  /// A link to some other file, or a device, is not a map of ours.
  @Test func onlyFilesAreCopied() throws {
    #expect(mkfifo(work.file(ThreadMap.fileName), 0o600) == 0)
    try work.makeDirectory(ChatThreadFile.name)
    let path = try StateDirectory.open(try configuration())
    #expect(ScratchDirectory.names(in: path) == [])
  }

  @Test(.enabled(if: geteuid() == 0)) func whatBelongsToAnotherIsNotCopied() throws {
    try work.write(Self.map, to: ThreadMap.fileName)
    #expect(chown(work.file(ThreadMap.fileName), 12_345, 12_345) == 0)
    #expect(ScratchDirectory.names(in: try StateDirectory.open(try configuration())) == [])
  }

  @Test func aDirectoryThatWasNamedGetsNothing() throws {
    try work.write(Self.map, to: ThreadMap.fileName)
    let path = try StateDirectory.open(try configuration(["CODEX_STATE_DIR": home.path]))
    #expect(path == home.path)
    #expect(home.names == [])
  }

  // MARK: Other users

  @Test(arguments: [(0o770, false), (0o707, false), (0o750, true)])
  func nobodyElseMayWriteToIt(_ mode: mode_t, _ isTaken: Bool) throws {
    let path = try StateDirectory.open(try configuration())
    for place in [path, home.file(".local/state/bridged")] {
      #expect(chmod(place, mode) == 0)
      let refusal = try refusal(configuration())
      #expect((refusal == nil) == isTaken, "\(refusal ?? "")")
      #expect(chmod(place, 0o700) == 0)
    }
  }

  /// Volumes of containers are shared with a group.
  @Test(arguments: [(0o770, true), (0o777, false), (0o1777, false)])
  func aNamedOneMayBeSharedWithAGroupOnly(_ mode: mode_t, _ isTaken: Bool) throws {
    #expect(chmod(home.path, mode) == 0)
    #expect((try refusal(configuration(["CODEX_STATE_DIR": home.path])) == nil) == isTaken)
  }

  @Test(.enabled(if: geteuid() == 0), arguments: [true, false]) func itBelongsToUs(_ isNamed: Bool) throws {
    let path = try StateDirectory.open(try configuration())
    #expect(chown(path, 12_345, 12_345) == 0)
    let refusal = try refusal(configuration(isNamed ? ["CODEX_STATE_DIR": path] : [:]))
    #expect(refusal?.contains("belongs to another user") == true)
  }

  // MARK: Lines of the terminal

  @Test func linesArePerPerson() throws {
    let path = StateDirectory.chatHistoryPath(try configuration())
    #expect(path == home.file(".local/state/bridged/chat_history"))
    #expect(Self.mode(home.file(".local/state/bridged")) == 0o700)
    #expect(StateDirectory.chatHistoryPath(try configuration(environment: [:])) == nil)
  }
}
