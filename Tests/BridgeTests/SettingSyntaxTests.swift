// How the text of a setting becomes its value.

import Testing

@testable import Bridge

struct SettingSyntaxTests {
  @Test(
    arguments: [
      ("true", true), ("TRUE", true), ("1", true), ("yes", true), ("on", true), ("false", false), ("False", false),
      ("0", false), ("no", false), ("off", false), ("", nil), ("2", nil), ("y", nil), ("truee", nil),
      ("null", nil),
    ] as [(String, Bool?)])
  func readsFlags(_ text: String, _ value: Bool?) { #expect(SettingSyntax<Bool>.flag.parse(text) == value) }

  @Test(
    arguments: [
      ("0", 0), ("5", 5), ("10", 10), ("-1", nil), ("11", nil), ("", nil), ("5.0", nil), ("5x", nil), ("0x5", nil),
      ("1e1", nil), ("99999999999999999999", nil), ("٣", nil), ("5 5", nil),
    ] as [(String, Int?)])
  func readsNumbers(_ text: String, _ value: Int?) {
    #expect(SettingSyntax<Int>.number(0...10).parse(text) == value)
  }

  @Test(
    arguments: [
      ("1", 1...1), ("64", 64...64), ("1-4", 1...4), ("2 - 3", 2...3), ("4-4", 4...4), ("0", nil), ("65", nil),
      ("4-1", nil), ("0-4", nil), ("1-65", nil), ("-1", nil), ("1-", nil), ("-", nil), ("", nil), ("1--4", nil),
      ("1-2-3", nil), ("-1-4", nil), ("1..4", nil), ("auto", nil), ("1-x", nil),
    ] as [(String, ClosedRange<Int>?)])
  func readsRanges(_ text: String, _ value: ClosedRange<Int>?) {
    let syntax = SettingSyntax<ClosedRange<Int>>.range(within: 1...64)
    #expect(syntax.parse(text) == value)
    if let value { #expect(syntax.parse(syntax.text(value)) == value) }
  }

  @Test(
    arguments: [
      ("1", 1), ("1b", 1), ("512kb", 512 << 10), ("10mb", 10 << 20), ("10MB", 10 << 20), ("1.5kb", 1536),
      ("1 mb", 1 << 20),
      ("1gb", 1 << 30), ("1073741824", 1 << 30), ("0", nil), ("-1", nil), ("-1mb", nil), ("2gb", nil),
      ("1073741825", nil),
      ("", nil), ("mb", nil), ("10mbb", nil), ("10 m b", nil), ("ten", nil), ("nan", nil), ("inf", nil),
      ("infmb", nil),
      ("1tb", nil), ("1e99", nil), ("0.5", nil),
    ] as [(String, Int?)])
  func readsSizes(_ text: String, _ value: Int?) { #expect(SettingSyntax<Int>.byteSize.parse(text) == value) }

  @Test(
    arguments: [
      ("500ms", .milliseconds(500)), ("30s", .seconds(30)), ("30", .seconds(30)), ("1.5", .milliseconds(1500)),
      ("5m", .seconds(300)), ("2h", .seconds(7200)), ("1d", .seconds(86400)), ("30d", .seconds(30 * 86400)),
      ("5 M", .seconds(300)), ("1ms", .milliseconds(1)), ("0", nil), ("0s", nil), ("-1s", nil), ("366d", nil),
      ("", nil),
      ("s", nil), ("5x", nil), ("5ss", nil), ("nan", nil), ("inf", nil), ("1e99", nil), ("5 minutes", nil),
    ] as [(String, Duration?)])
  func readsDurations(_ text: String, _ value: Duration?) {
    #expect(SettingSyntax<Duration>.duration.parse(text) == value)
  }

  /// A timeout of zero would end everything at once, and a keep-alive of zero would never rest.
  @Test(arguments: ["0.1ms", "0.0001", "0.0001s", "1e-9"])
  func durationsAreNeverZero(_ text: String) {
    if let value = SettingSyntax<Duration>.duration.parse(text) { #expect(value > .zero) }
  }

  @Test(
    arguments: [
      ("0", .zero), ("30s", .seconds(30)), ("-1", nil), ("", nil), ("366d", nil), ("none", nil),
    ] as [(String, Duration?)])
  func someDurationsMayBeZero(_ text: String, _ value: Duration?) {
    let syntax = SettingSyntax<Duration>.durationOrZero
    #expect(syntax.parse(text) == value)
    if let value { #expect(syntax.parse(syntax.text(value)) == value) }
  }

  @Test(arguments: [
    ("a", ["a"]), ("a,b", ["a", "b"]), (" a , b ", ["a", "b"]), ("a,,b,", ["a", "b"]), ("a b", ["a b"]), ("", []),
  ])
  func readsLists(_ text: String, _ value: [String]) {
    #expect(SettingSyntax<[String]>.list("x").parse(text) == value)
  }

  @Test(
    arguments: [
      ("*", true), ("https://chat.example", true), ("http://localhost:3000", true), ("HTTPS://Chat.Example", true),
      ("http://[::1]:3000, app://obsidian.md", true), ("chrome-extension://abcdef", true), ("", true),
      ("foo", false), ("chat.example", false), ("https://chat.example/", false), ("https://chat.example/a", false),
      ("https://", false), ("://a", false), ("https://a:port", false), ("https://a:", false),
      ("https://a?b", false),
      ("https://a#b", false), ("https://me@a", false), ("https://a b", false), ("https://a, foo", false),
      ("1s://a", false), ("https://:80", false), ("https://*.example", false),
    ]) func readsOrigins(_ text: String, _ isAllowed: Bool)
  {
    #expect((Settings.corsOrigins.parse(text) != nil) == isAllowed)
  }

  @Test(
    arguments: [
      ("a=1", true), ("a.b=\"x\"; c=[1,2]", true), ("", true), ("foo", false), ("a=1;foo", false), ("=1", false),
      (" =1", false),
    ]) func readsOverrides(_ text: String, _ isAllowed: Bool)
  {
    #expect((Settings.codexConfig.parse(text) != nil) == isAllowed)
  }

  @Test func saysWhatABareNumberMeans() {
    for setting in [Settings.turnTimeout, Settings.approvalWait] {
      #expect(setting.allowed.contains("seconds"))
    }
  }

  @Test func readsListsWithOtherSeparators() {
    #expect(SettingSyntax<[String]>.list("x", separator: ";").parse("a=[1,2]; b=3") == ["a=[1,2]", "b=3"])
  }

  @Test(
    arguments: [
      ("read-only", .readOnly), ("READ-ONLY", .readOnly), ("workspace-write", .workspaceWrite),
      ("danger-full-access", .dangerFullAccess), ("readonly", nil), ("readOnly", nil), ("", nil),
      ("read only", nil),
    ] as [(String, SandboxMode?)])
  func readsChoices(_ text: String, _ value: SandboxMode?) {
    #expect(SettingSyntax<SandboxMode>.choice.parse(text) == value)
  }

  @Test func optionalTextMayBeEmpty() throws {
    let syntax = SettingSyntax<String?>.optionalText()
    #expect(try #require(syntax.parse("a")) == "a")
    #expect(try #require(syntax.parse("")) == nil)
  }

  /// What the documents print as a default must be what can be typed in.
  @Test(arguments: [1, 1000, 1024, 1536, 10 << 20, 1 << 30])
  func writesSizesAsItReadsThem(_ bytes: Int) {
    let syntax = SettingSyntax<Int>.byteSize
    #expect(syntax.parse(syntax.text(bytes)) == bytes)
  }

  @Test(arguments: [1, 250, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000])
  func writesDurationsAsItReadsThem(_ milliseconds: Int) {
    let syntax = SettingSyntax<Duration>.duration
    #expect(syntax.parse(syntax.text(.milliseconds(milliseconds))) == .milliseconds(milliseconds))
  }

  @Test func everyDefaultIsAllowed() {
    for setting in Settings.all where !setting.fallbackText.contains(" ") && setting.fallbackText != "none" {
      #expect(setting.read(setting.fallbackText) != nil, "\(setting.name)=\(setting.fallbackText)")
    }
  }

  @Test func namesAreUnique() {
    #expect(Set(Settings.all.map(\.name)).count == Settings.all.count)
  }
}
