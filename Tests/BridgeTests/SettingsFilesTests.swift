// Which files settings are read from, and which of them decide something.

import Glibc
import Testing

@testable import Bridge

struct SettingsFilesTests {
  private let place: SettingsPlace

  init() throws { place = try SettingsPlace() }

  // MARK: The settings file

  @Test func theFirstThatExistsIsReadAndNoOther() throws {
    try place.writeOwn("PORT=1\nHOST=127.0.0.2")
    let named = place.home.file("named.env")
    try place.home.write("PORT=2", to: "named.env")
    let own = try place.load()
    #expect(own[Settings.port] == 1)
    #expect(own.origin(of: Settings.port) == .settingsFile(place.home.file(".config/bridged/bridged.env")))
    let other = try place.load(file: named)
    #expect(other[Settings.port] == 2)
    #expect(other.origin(of: Settings.host) == .fallback)
    #expect(other.notices(.info) == ["settings files read: \(named)"])
  }

  @Test func theDirectoryForConfigurationMayBeElsewhere() throws {
    try FileContents.makeDirectories(place.home.file("etc/bridged"))
    try place.home.write("PORT=3", to: "etc/bridged/bridged.env")
    let environment = ["XDG_CONFIG_HOME": place.home.file("etc")]
    #expect(try place.load(environment: environment)[Settings.port] == 3)
    // A relative one is to be ignored (XDG Base Directory Specification).
    #expect(try place.load(environment: ["XDG_CONFIG_HOME": "etc"])[Settings.port] == 8080)
  }

  @Test func theSettingsFileLiesBetweenTheEnvironmentAndTheFilesOfTheDirectory() throws {
    try place.writeOwn("PORT=1\nHOST=127.0.0.2")
    try place.directory.write("PORT=2\nHOST=127.0.0.3\nCODEX_MODEL=m", to: ".env")
    try place.trust(".env")
    let configuration = try place.load(environment: ["HOST": "127.0.0.9"])
    #expect(configuration[Settings.port] == 1)
    #expect(configuration[Settings.host] == ["127.0.0.9"])
    #expect(configuration[Settings.model] == "m")
  }

  @Test func aFileThatWasNamedMustBeThere() throws {
    let line = try #require(place.refusal(file: place.home.file("none")))
    #expect(line.contains("--env-file \(place.home.file("none"))"))
  }

  /// Whoever can write to it decides which programs run.
  @Test(arguments: [(0o620, false), (0o602, false), (0o644, true), (0o400, true)])
  func onlyItsOwnerMayWriteToIt(_ mode: mode_t, _ isRead: Bool) throws {
    try place.home.write("PORT=1", to: "named.env")
    let file = place.home.file("named.env")
    #expect(chmod(file, mode) == 0)
    let refusal = place.refusal(file: file)
    #expect((refusal == nil) == isRead, "\(refusal ?? "")")
    if let refusal { #expect(refusal.contains(file) && !refusal.contains("\n")) }
  }

  @Test(.enabled(if: geteuid() == 0)) func itBelongsToUsOrToRoot() throws {
    try place.home.write("PORT=1", to: "named.env")
    let file = place.home.file("named.env")
    #expect(chown(file, 12_345, 12_345) == 0)
    #expect(place.refusal(file: file)?.contains("belongs to another user") == true)
  }

  /// systemd reads it as root, and keeps it from the commands that Codex runs as the service's user.
  @Test(.enabled(if: geteuid() != 0)) func theSystemsFileMayBeKeptFromUs() throws {
    let file = place.home.file("system.env")
    try place.home.write("PORT=1", to: "system.env")
    #expect(chmod(file, 0) == 0)
    var files = SettingsFiles(environment: [:], systemFile: file)
    try files.readSettingsFile(named: nil)
    #expect(files.sources.isEmpty)
    #expect(files.allNotices.map(\.level) == [.info, .info])
  }

  /// What root may read and still cannot; a real file of the system never is one.
  @Test func whatCannotBeReadIsSkippedOnlyIfItIsTheSystems() throws {
    var files = SettingsFiles(environment: [:], systemFile: place.home.path)
    #expect(chmod(place.home.path, 0o700) == 0)
    try files.readSettingsFile(named: nil)
    #expect(files.allNotices.map(\.level) == [.info, .info])
    #expect(files.allNotices.last?.text.hasPrefix("\(place.home.path) is skipped") == true)
    #expect(place.refusal(file: place.home.path)?.contains("not a regular file") == true)
  }

  // MARK: Files of the current directory

  @Test(arguments: [".env", ".env.local"]) func whatNobodyHasTrustedDecidesNothing(_ name: String) throws {
    try place.directory.write("CODEX_BIN=/evil\nCODEX_CONFIG=a=1\nPORT=1", to: name)
    let configuration = try place.load()
    for setting in Settings.all { #expect(configuration.origin(of: setting) == .fallback, "\(setting.name)") }
    #expect(
      configuration.notices(.info) == ["settings files read: \(place.home.file(".config/bridged/bridged.env"))"])
    let errors = configuration.notices(.error)
    #expect(errors.count == 1)
    let line = try #require(errors.first)
    #expect(line.contains("\(place.directory.file(name)) is skipped"))
    #expect(line.contains("bridged trust \(place.directory.file(name))"))
    #expect(line.contains("PORT, CODEX_BIN, CODEX_CONFIG"))
    #expect(!line.contains("/evil"))
  }

  @Test func whatIsTrustedIsReadUntilItChanges() throws {
    try place.directory.write("PORT=1", to: ".env")
    try place.trust(".env")
    #expect(try place.load()[Settings.port] == 1)
    #expect(try place.load().notices(.info).first?.contains(place.directory.file(".env")) == true)
    try place.directory.write("PORT=1\nCODEX_BIN=/evil", to: ".env")
    let line = try #require(place.refusal())
    #expect(line.contains("\(place.directory.file(".env")) has changed since it was trusted"))
    #expect(line.contains("bridged trust \(place.directory.file(".env"))"))
    try place.trust(".env")
    #expect(try place.load()[Settings.codexBinary] == "/evil")
  }

  /// The same content elsewhere is another file: it may be somebody's example.
  @Test func trustIsForOneFile() throws {
    for name in [".env", ".env.local"] { try place.directory.write("PORT=1", to: name) }
    try place.trust(".env")
    #expect(try place.load().notices(.error).count == 1)
  }

  /// Most projects for the web have a `.env` of their own.
  @Test(arguments: ["DATABASE_URL=x\nSECRET=y", "", "# PORT=1", "not a file of settings", "CODEX_MODL=x"])
  func aFileWithoutOurSettingsIsLeftAlone(_ text: String) throws {
    try place.directory.write(text, to: ".env")
    var questions = 0
    let configuration = try place.load { _ in
      questions += 1
      return true
    }
    #expect(questions == 0)
    #expect(configuration.notices.map(\.level) == [.info])
  }

  /// Environments of Python are called so too.
  @Test func aDirectoryIsNoFile() throws {
    try place.directory.makeDirectory(".env")
    #expect(try place.load().notices.map(\.level) == [.info])
  }

  @Test func whatIsNoRegularFileIsSkippedUnopened() throws {
    #expect(mkfifo(place.directory.file(".env"), 0o600) == 0)
    let errors = try place.load().notices(.error)
    #expect(errors == ["\(place.directory.file(".env")) is skipped: not a regular file"])
  }

  // MARK: The question

  @Test func aPersonIsAskedOnceAndRemembered() throws {
    try place.directory.write("PORT=1\nCODEX_MODEL=m", to: ".env")
    var asked: [LocalSettings] = []
    let ask: Configuration.TrustQuestion = {
      asked.append($0)
      return true
    }
    for _ in 0..<2 { #expect(try place.load(ask: ask)[Settings.port] == 1) }
    #expect(asked.map(\.path) == [place.directory.file(".env")])
    #expect(asked.first?.text == "PORT=1\nCODEX_MODEL=m")
    #expect(asked.first?.settings.map(\.name) == ["PORT", "CODEX_MODEL"])
    #expect(asked.first?.hasChanged == false)
    try place.directory.write("PORT=2", to: ".env")
    #expect(try place.load(ask: ask)[Settings.port] == 2)
    #expect(asked.map(\.hasChanged) == [false, true])
  }

  @Test func aNoIsANo() throws {
    try place.directory.write("PORT=1", to: ".env")
    #expect(try place.load { _ in false }[Settings.port] == 8080)
    #expect(try place.load().notices(.error).count == 1)
    try place.trust(".env")
    try place.directory.write("PORT=2", to: ".env")
    #expect(place.refusal { _ in false } != nil)
  }

  @Test(arguments: [
    ("yes", true), (" YES\n", true), ("y", false), ("yes please", false), ("", false), ("no", false),
  ])
  func onlyTheWholeWordIsAYes(_ answer: String, _ isYes: Bool) { #expect(TrustDialog.isYes(answer) == isYes) }

  @Test func whatIsShownCannotDriveTheTerminal() {
    #expect(TrustDialog.lines(of: "A=\u{1B}[2J\r\nB=\u{202E}x\n") == ["A=\\u{1B}[2J\\r", "B=\\u{202E}x"])
  }

  // MARK: The note

  private var store: String { place.home.file(".local/state/bridged/trusted.json") }

  @Test func theNoteIsForItsOwnerOnly() throws {
    try place.directory.write("PORT=1", to: ".env")
    try place.trust(".env")
    var status = stat()
    #expect(stat(store, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    #expect(stat(place.home.file(".local/state/bridged"), &status) == 0)
    #expect(status.st_mode & 0o777 == 0o700)
    #expect(place.home.text(of: ".local/state/bridged/trusted.json")?.contains("PORT") == false)
  }

  /// Codex's commands could have written it there.
  @Test(arguments: ["current directory", "working directory", "temporary directory", "/tmp"])
  func aNoteWithinReachOfTheModelDoesNotCount(_ reach: String) throws {
    let temporary = try ScratchDirectory()
    try place.directory.write("PORT=1", to: ".env")
    try place.trust(".env")
    #expect(try place.load()[Settings.port] == 1)
    var environment: [String: String] = [:]
    switch reach {
    case "current directory": environment["XDG_STATE_HOME"] = place.directory.file("state")
    case "working directory": environment["CODEX_WORKDIR"] = place.home.path
    case "temporary directory": environment["TMPDIR"] = place.home.path
    default: environment["XDG_STATE_HOME"] = temporary.path
    }
    if let state = environment["XDG_STATE_HOME"] {
      try FileContents.makeDirectories("\(state)/bridged")
      // Not renamed: the two may be on different file systems.
      let note = try #require(place.home.text(of: ".local/state/bridged/trusted.json"))
      try FileContents.replace("\(state)/bridged/trusted.json", with: Array(note.utf8))
      FileContents.remove(store)
    }
    let configuration = try place.load(environment: environment)
    #expect(configuration[Settings.port] == 8080)
    #expect(configuration.notices(.error).count == 1)
    #expect(configuration.notices(.error).first?.contains("programs that Codex runs may write to") == true)
  }

  /// Then commands could write the note from now on.
  @Test func aTrustedFileCannotBringTheNoteWithinReach() throws {
    try place.directory.write("CODEX_WORKDIR=\(place.home.path)", to: ".env")
    try place.trust(".env")
    #expect(place.refusal()?.contains("trusted.json") == true)
  }

  @Test func aNoteThatOthersCanWriteDoesNotCount() throws {
    try place.directory.write("PORT=1", to: ".env")
    try place.trust(".env")
    #expect(chmod(store, 0o666) == 0)
    #expect(try place.load()[Settings.port] == 8080)
    #expect(try place.load().notices(.error).first?.contains("does not count") == true)
  }

  @Test(arguments: ["", "{}", "{\"files\":[]}", "nonsense"]) func aDamagedNoteTrustsNothing(_ text: String) throws
  {
    try place.directory.write("PORT=1", to: ".env")
    try place.trust(".env")
    try place.home.write(text, to: ".local/state/bridged/trusted.json")
    #expect(try place.load()[Settings.port] == 8080)
    #expect(throws: ConfigurationError.self) { try place.trust(".env") }
    #expect(place.home.text(of: ".local/state/bridged/trusted.json") == text)
  }

  @Test func theNoteIsBounded() throws {
    let entries = (0..<1500).map { "\"/file/\($0)\":\"x\"" }.joined(separator: ",")
    try FileContents.makeDirectories(place.home.file(".local/state/bridged"))
    try place.home.write("{\"files\":{\(entries)}}", to: ".local/state/bridged/trusted.json")
    try place.directory.write("PORT=1", to: ".env")
    try place.trust(".env")
    let text = try #require(place.home.text(of: ".local/state/bridged/trusted.json"))
    let files = try JSONValue(parsing: Array(text.utf8))["files"]?.objectValue?.members ?? []
    #expect(files.count == 1000)
    #expect(files.last?.key == place.directory.file(".env"))
    #expect(files.first?.key == "/file/501")
  }

  @Test func onlyFilesThatNeedTrustCanBeTrusted() throws {
    #expect(throws: ConfigurationError.self) { try LocalSettings.find(place.directory.file("other.env")) }
    #expect(try LocalSettings.find(place.directory.file(".env")) == nil)
  }
}
