// The file of earlier lines.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct LineHistoryTests {
  @Test(arguments: [
    EnteredLine(text: "hello"), EnteredLine(text: "a\n  b\\n"), EnteredLine(text: "/reset", origin: .pasted),
    EnteredLine(text: "/model x", origin: .typedAndPasted), EnteredLine(text: "\\p"), EnteredLine(text: "日本\r"),
  ])
  func anEntryIsOneLine(_ line: EnteredLine) {
    let text = LineHistory.encode(line)
    #expect(text.split(omittingEmptySubsequences: false) { $0.isNewline }.count == 1)
    #expect(LineHistory.decode(text) == line)
  }

  @Test @LoopActor func isKept() throws {
    let directory = try ScratchDirectory()
    let path = directory.path + "/history"
    let first = LineHistory(path: path)
    for text in ["one", "two\nlines", "two\nlines", "  "] { first.add(EnteredLine(text: text)) }
    let second = LineHistory(path: path)
    #expect(second.entries.map(\.text) == ["one", "two\nlines"])
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test @LoopActor func isBounded() throws {
    let directory = try ScratchDirectory()
    let path = directory.path + "/history"
    let first = LineHistory(path: path)
    for index in 0..<1100 { first.add(EnteredLine(text: "line \(index)")) }
    first.add(EnteredLine(text: String(repeating: "x", count: 1 << 20)))
    #expect(LineHistory(path: path).entries.last?.text == "line 1099")
    #expect(LineHistory(path: path).entries.count == 500)
  }

  @Test @LoopActor func whatIsNoEntryIsSkipped() throws {
    let directory = try ScratchDirectory()
    let path = directory.path + "/history"
    try FileContents.replace(path, with: Array("_HiStOrY_V2_\na\\040b\nfine\n".utf8))
    #expect(LineHistory(path: path).entries.map(\.text) == ["fine"])
  }
}
