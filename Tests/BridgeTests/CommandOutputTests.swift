// What commands print: tables by display width, the state of a bridge, what was said in a session. Nothing of it drives a
// terminal.

import Testing

@testable import Bridge

struct CommandOutputTests {
  // MARK: Tables

  @Test func columnsStandByTheWidthOfTheirCharacters() {
    let table = TextTable(["N", "ID", "TITLE"], numbers: [0], [["1", "第二", "a"], ["12", "abc", "e\u{301}b"]])
    #expect(table.lines(width: nil) == [" N  ID    TITLE", " 1  第二  a", "12  abc   e\u{301}b"])
  }

  @Test func cellsCannotForgeLinesOrDriveTheTerminal() {
    let table = TextTable(["A", "B"], [["x\ny", "\u{1B}[2J\u{202E}"]])
    #expect(table.lines(width: nil) == ["A     B", "x\\ny  \\u{1B}[2J\\u{202E}"])
  }

  @Test func theLastColumnIsCutToTheTerminal() {
    let table = TextTable(["ID", "TITLE"], [["abcd", "a long title that goes on"], ["e", "汉字汉字汉字汉字汉字"]])
    #expect(table.lines(width: 20) == ["ID    TITLE", "abcd  a long title …", "e     汉字汉字汉字…"])
    // There is nothing to see in fewer columns.
    #expect(table.lines(width: 3)[1] == "abcd  a long titl…")
  }

  @Test(arguments: [
    ("", 3, ""), ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("汉字", 3, "汉…"), ("e\u{301}e\u{301}e", 2, "e\u{301}…"),
  ])
  func textIsCutToAWidth(_ text: String, _ width: Int, _ cut: String) {
    #expect(text.cut(toWidth: width) == cut)
  }

  @Test(arguments: [
    (0, "0 s"), (-5, "0 s"), (12, "12 s"), (60, "1 min"), (3725, "1 h 2 min"), (90_000, "1 d 1 h"),
    (86_460, "1 d"),
  ])
  func lengthsOfTimeHaveTwoUnits(_ seconds: Int, _ text: String) {
    #expect(ReadableTime.length(seconds) == text)
  }

  // MARK: status

  private static let snapshot: JSONValue = [
    "now": 10_000,
    "bridge": [
      "version": "9.9.9", "started": 6275, "works_in": "/work", "sandbox": "workspace-write", "network": true,
      "approval_policy": "on-request",
    ],
    "engine": ["ready": true, "version": "0.163.0", "reason": nil, "message": nil, "provider_fault": nil],
    "account": [
      "kind": "chatgpt", "plan": "self_serve",
      "limits": [["used_percent": 41, "window_minutes": 300, "resets": nil]],
    ],
    "turns": ["running_count": 2, "waiting": 0, "max_running": 64, "max_waiting": 9],
    "approval_count": 1, "sessions": ["total": 42],
  ]

  @Test func aStateIsTold() {
    let report = StatusReport(
      url: "http://h:1", version: ["version": "9.9.9", "commit": "abc"], snapshot: Self.snapshot)
    #expect(
      report.lines == [
        "bridged 9.9.9 (abc) · http://h:1 · up 1 h 2 min", "  Codex      0.163.0, ready",
        "  Login      ChatGPT Self serve, 41 % of 5 h used",
        "  Works in   /work, writes there, network, asks before it leaves the sandbox",
        "  Turns      2 running, 0 waiting (at most 64 at once)",
        "  Approvals  1 question of Codex waits for an answer", "  Sessions   42",
      ])
    #expect(report.unavailability == nil)
    #expect(report.json["sessions"]?.intValue == 42)
    #expect(report.json["codex"]?["ready"]?.boolValue == true)
  }

  @Test func aBridgeThatCannotStartTurnsSaysWhy() {
    let snapshot: JSONValue = ["engine": ["ready": false, "reason": "x", "message": "Codex\u{1B}[2J is gone"]]
    let report = StatusReport(url: "u", version: [:], snapshot: snapshot)
    #expect(report.unavailability == "Codex\u{1B}[2J is gone")
    #expect(report.lines == ["bridged of an unknown version · u", "  Codex      not ready"])
  }

  @Test func whateverABridgeAnswersIsEscaped() {
    let snapshot: JSONValue = [
      "engine": ["ready": true, "version": "1\u{1B}]0;x\u{7}", "provider_fault": "a\nb"],
      "account": ["kind": "chatgpt", "plan": "\u{202E}x"], "turns": ["running_count": "two"], "sessions": [],
    ]
    for line in StatusReport(url: "u", version: ["commit": "\u{1B}c"], snapshot: snapshot).lines {
      #expect(line == line.printable)
    }
  }

  // MARK: sessions

  @Test func aSessionIsToldAsText() {
    let session: JSONValue = ["id": "a", "title": "T\u{1B}[1m", "turns": 1, "model": "m", "state": "idle"]
    let items: [JSONValue] = [
      ["type": "message", "role": "user", "content": "hello\n\nYou\n  x\u{1B}[2J"],
      ["type": "command", "role": "assistant", "content": nil, "command": "ls", "status": "completed"],
      ["type": "function_call", "role": "assistant", "name": "add", "arguments": "{}"],
      ["type": "function_call_output", "role": "tool", "content": "3\n"],
      [
        "type": "message", "role": "user",
        "content": [["type": "text", "text": "see"], ["type": "image", "media_type": "image/png", "bytes": 5]],
      ],
    ]
    #expect(
      SessionText.lines(session, items) == [
        "T\\u{1B}[1m", "a · m · 1 turn · idle", "", "You", "  hello", "", "  You", "    x\\u{1B}[2J", "", "Codex",
        "  $ ls  (completed)", "", "  called add: {}", "", "  got: 3", "", "You", "  see",
        "  [image, image/png, 5 bytes]",
      ])
  }

  @Test func theTableOfSessionsNamesThePlainChat() {
    let sessions: [JSONValue] = [
      ["id": "a", "title": nil, "turns": 3, "model": "m", "state": "running", "profile": "agent"],
      ["id": "b", "turns": 10, "state": "idle", "profile": "chat", "title": "x"],
    ]
    #expect(
      SessionsCommand.table(of: sessions).lines(width: nil) == [
        "LAST USED  TURNS  STATE             MODEL  ID  TITLE", "               3  running           m      a",
        "              10  idle, plain chat         b   x",
      ])
  }

  // MARK: version, logs

  @Test func versionsThatAreNotKnownAreNamed() {
    let version = BridgeVersion.text
    #expect(
      VersionCommand.lines(commit: nil, codex: nil) == ["bridged \(version) (commit unknown)", "Codex not found"])
    #expect(
      VersionCommand.lines(commit: "ab", codex: "1.2.3") == ["bridged \(version) (commit ab)", "Codex 1.2.3"])
  }

  @Test func optionsOfLogsArePassedOn() {
    #expect(LogsCommand.arguments(follow: false, lines: nil) == ["--unit", "bridged.service"])
    #expect(
      LogsCommand.arguments(follow: true, lines: 7) == ["--unit", "bridged.service", "--lines", "7", "--follow"])
  }

  @Test(arguments: [
    ([], false), (["run/systemd/system"], false), (["etc/systemd/system/bridged.service"], false),
    (["run/systemd/system", "etc/systemd/system/bridged.service"], true),
    (["run/systemd/system", "usr/lib/systemd/system/bridged.service"], true),
  ])
  func aServiceNeedsSystemdAndItsUnit(_ paths: [String], _ isService: Bool) throws {
    let root = try ScratchDirectory()
    for path in paths { try FileContents.makeDirectories(root.file(path)) }
    #expect(LogsCommand.hasService(root: root.path) == isService)
  }
}
