// A message in the editor of the person's own choice.

import Glibc
import Testing

@testable import Bridge

struct MessageEditorTests {
  private func edit(_ command: String, _ text: String, in directory: ScratchDirectory) throws
    -> Result<String, MessageEditor.Failure>
  {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    defer { close(null) }
    let editor = try MessageEditor(
      command, text: text, below: directory.path, terminal: null, screen: null,
      environment: ["PATH": "/usr/bin:/bin"])
    return editor.result()
  }

  @Test(arguments: [
    ("true", "as it was", "as it was"), ("sh -c 'printf \"two\\nlines\\n\" >\"$1\"' x", "", "two\nlines"),
    ("sh -c 'cat \"$1\" \"$1\" >\"$1.new\"; mv \"$1.new\" \"$1\"' x", "a", "a\na"),
  ])
  func theTextComesBack(_ command: String, _ before: String, _ after: String) throws {
    let directory = try ScratchDirectory()
    #expect(try edit(command, before, in: directory) == .success(after))
    #expect(directory.names == [])
  }

  @Test func theFileIsPrivate() throws {
    let directory = try ScratchDirectory()
    let found = try edit(
      "sh -c 'stat -c %a \"$1\" \"$(dirname \"$1\")\" >\"$1.x\"; mv \"$1.x\" \"$1\"' x", "a", in: directory)
    #expect(found == .success("600\n700"))
  }

  @Test func whatIsNotWantedChangesNothing() throws {
    let directory = try ScratchDirectory()
    #expect(try edit("exit 3;", "a", in: directory) == .failure(.ended(status: 3)))
    #expect(try edit("/nonexistent/editor", "a", in: directory) == .failure(.ended(status: 127)))
    #expect(
      try edit("sh -c 'printf \"\\377\" >\"$1\"' x", "a", in: directory) == .failure(.unusable("it is not UTF-8")))
    #expect(try edit("rm", "a", in: directory) == .failure(.unusable("the file is gone")))
    #expect(directory.names == [])
  }

  @Test func visualGoesBeforeEditor() {
    #expect(MessageEditor.command(["VISUAL": "v", "EDITOR": "e"]) == "v")
    #expect(MessageEditor.command(["VISUAL": " ", "EDITOR": "e"]) == "e")
    #expect(MessageEditor.command([:]) == nil)
  }
}
