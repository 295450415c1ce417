// What the fake engine can be told to do wrong with a call of a tool; where it behaves, ClientToolConformanceTests holds it
// against the real one.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct FakeToolFaultTests {
  @LoopActor
  private func withFake(_ body: @LoopActor (RawAppServer, String) async throws -> Void) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let command = ChildCommand(
      program: FakeCodex.program, overrides: [], codexHome: directory.path, workingDirectory: directory.path,
      passedVariables: [], environment: Configuration.processEnvironment)
    try await RawAppServer.run(command) { server in
      try await body(server, try await server.startThread(model: "gpt-5.5", directory: directory.path))
    }
  }

  @Test(arguments: [1, 2]) @LoopActor
  func itDiesWithACallOpen(_ number: Int) async throws {
    try await withFake { server, thread in
      try await server.startTurn(thread, "demo: kill-in-call=\(number) call=get_weather call=add")
      #expect(await server.waitForEnd().signal == SIGKILL)
      #expect(await eventually { server.messages(of: "item/tool/call").count == number })
      #expect(server.messages(of: "turn/completed").isEmpty)
    }
  }

  @Test @LoopActor
  func aToolThatNobodyOfferedIsAskedFor() async throws {
    try await withFake { server, thread in
      let answer = try await server.run(thread, "demo: ask-unoffered call=nobody:{}")
      #expect(answer == "nobody said: out of nobody")
      #expect(server.messages(of: "item/tool/call").map { $0.params["tool"] } == ["nobody"])
    }
  }

  @Test @LoopActor
  func aCallEndsLateAfterItsAnswer() async throws {
    try await withFake { server, thread in
      server.answerTool = { _ in nil }
      try await server.startTurn(thread, "demo: late=1500 call=add")
      server.answer(try await server.openCall(), RawAppServer.answer("3"))
      try await server.call("model/list", [:])
      #expect(!server.seen.contains("item/completed dynamicToolCall"), "another call is answered before it ends")
      try #require(await eventually { server.messages(of: "turn/completed").count == 1 })
      #expect(server.seen.contains("item/completed dynamicToolCall"))
    }
  }

  @Test @LoopActor
  func aTurnEndsLateAfterAnInterruptWithACallOpen() async throws {
    try await withFake { server, thread in
      server.answerTool = { _ in nil }
      let turn = try await server.startTurn(thread, "demo: late=1500 call=add")
      _ = try await server.openCall()
      try await server.call("turn/interrupt", ["threadId": .string(thread), "turnId": .string(turn)])
      try await server.call("model/list", [:])
      #expect(server.messages(of: "turn/completed").isEmpty, "another call is answered before it ends")
      try #require(await eventually { server.messages(of: "turn/completed").count == 1 })
      #expect(server.messages(of: "turn/completed").first?.params["turn"]?["status"] == "interrupted")
    }
  }

  @Test @LoopActor
  func aResponseThatFailsLeavesItsCallsWithoutAnAnswer() async throws {
    try await withFake { server, thread in
      server.answerTool = { _ in nil }
      try await server.startTurn(thread, "demo: fail=serverOverloaded call=add")
      try #require(await eventually { server.messages(of: "turn/completed").count == 1 })
      #expect(server.messages(of: "turn/completed").first?.params["turn"]?["status"] == "failed")
      #expect(server.messages(of: "rawResponse/completed").isEmpty)
    }
  }

  @Test @LoopActor
  func withoutRawEventsNothingRawIsTold() async throws {
    try await withFake { server, _ in
      let thread = try await server.startThread(model: "gpt-5.5", directory: "/tmp", raw: false)
      let answer = try await server.run(thread, "demo: call=add")
      #expect(answer == "add said: out of add")
      #expect(!server.messages.contains { $0.method.hasPrefix("raw") })
    }
  }
}
