// The model catalogue of the plain chat: what is made of Codex's own, and when it is made.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ChatCatalogTests {
  private static let first = #"{"slug":"a","tool_mode":"code_mode_only","x":1.50}"#
  private static let models = #"{"models":[\#(first),{"slug":"b"}],"more":[]}"#

  private func plain(_ text: String) -> ChatCatalog.Contents? { ChatCatalog.withoutTools(Array(text.utf8)) }

  @Test func takesTheToolsFromEveryModelAndLeavesTheRest() throws {
    let contents = try #require(plain(Self.models))
    #expect(contents.models == ["a", "b"])
    let changed = #""tool_mode":"direct","experimental_supported_tools":[]"#
    let first = #"{"slug":"a","tool_mode":"direct","x":1.50,"experimental_supported_tools":[]}"#
    let expected = #"{"models":[\#(first),{"slug":"b",\#(changed)}],"more":[]}"#
    #expect(String(decoding: contents.bytes, as: UTF8.self) == expected)
  }

  @Test(arguments: [
    "", "{}", "[]", #"{"models":[]}"#, #"{"models":[{}]}"#, #"{"models":["a"]}"#, #"{"models":{}}"#,
  ])
  func takesNothingElseForACatalogue(_ text: String) { #expect(plain(text) == nil) }

  /// A directory with a program in it that stands for Codex, and a catalogue to be made by it.
  @LoopActor
  private func withProgram(
    _ script: String, _ body: @LoopActor (ChatCatalog, ChildCommand, TemporaryDirectory) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try Self.write(script, in: directory)
    let command = ChildCommand(
      program: "\(directory.path)/codex", overrides: [], codexHome: directory.path,
      workingDirectory: directory.path, passedVariables: [], environment: ["PATH": "/usr/bin:/bin"])
    try await body(ChatCatalog(directory: directory.path, notices: EngineNotices()), command, directory)
  }

  private static func write(_ script: String, in directory: TemporaryDirectory) throws {
    unlink("\(directory.path)/codex")
    try directory.write("#!/bin/sh\necho >> runs\n\(script)\n", to: "codex")
    chmod("\(directory.path)/codex", 0o755)
  }

  private func runs(in directory: TemporaryDirectory) -> Int {
    guard case .bytes(let bytes) = FileContents.read("\(directory.path)/runs", limit: 100) else { return 0 }
    return bytes.count
  }

  @Test @LoopActor
  func isMadeOnceByAProgramAndUsedForItAlone() async throws {
    try await withProgram("echo '\(Self.models)'") { catalog, command, directory in
      let program = command.program
      #expect(catalog.override(for: program) == nil)
      async let first: Void = catalog.prepare(with: command)
      async let second: Void = catalog.prepare(with: command)
      _ = await (first, second)
      #expect(runs(in: directory) == 1)
      let file = "\(directory.path)/\(ChatCatalog.fileName)"
      #expect(catalog.override(for: program) == #"model_catalog_json="\#(file)""#)
      var status = stat()
      #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(catalog.serves("a") && catalog.serves(nil) && !catalog.serves("another"))
      // Codex was updated: its own catalogue may be another.
      try Self.write("echo '\(Self.models)' # new", in: directory)
      #expect(catalog.override(for: program) == nil)
      await catalog.prepare(with: command)
      #expect(catalog.override(for: program) != nil)
      #expect(runs(in: directory) == 2)
    }
  }

  @Test(arguments: ["echo no such command >&2; exit 2", "echo nonsense", "kill -9 $$", "exit 0"]) @LoopActor
  func aCodexThatCannotMakeItIsAskedOnce(_ script: String) async throws {
    try await withProgram(script) { catalog, command, directory in
      for _ in 0..<2 { await catalog.prepare(with: command) }
      #expect(runs(in: directory) == 1)
      #expect(catalog.override(for: command.program) == nil)
      // Every model is served then, with the tools that it has.
      #expect(catalog.serves("another"))
      await #expect(throws: ProgramFailure.self) { try await ChatCatalog.read(with: command) }
    }
  }
}
