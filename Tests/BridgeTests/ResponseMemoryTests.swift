// What becomes of responses when a process begins after another, and when nobody goes on from them any more.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ResponseMemoryTests {
  private static let owner = Principal(name: "a")

  /// Runs `body` with the stores of one state directory.
  @LoopActor
  private func run(
    _ body: @LoopActor (ResponseMemory, Sessions, ScriptedEngine) async throws -> Void
  ) async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let sessions = try await Sessions.inFiles(place.path, defaultOwner: Self.owner)
    let database = Database(directory: place.path)
    let memory = ResponseMemory(
      responses: ResponseStore(database, maxAge: .zero), conversations: ConversationStore(database))
    do {
      try await body(memory, sessions, ScriptedEngine())
    } catch {
      memory.stop()
      await sessions.close()
      throw error
    }
    memory.stop()
    await sessions.close()
  }

  private func response(_ id: String, _ session: SessionKey?, _ object: String) -> StoredResponse {
    let place = session.map {
      StoredResponse.Place(
        session: $0, thread: ThreadRecord(id: ThreadID("t1")), turnID: "turn", hasCalls: false, answered: nil)
    }
    return StoredResponse(
      id: id, owner: Self.owner, createdAt: 5, isBackground: true, previous: nil, conversation: nil,
      stage: .unfinished, place: place, object: object)
  }

  @Test @LoopActor func whatAnEarlierProcessHasLeftHasFailed() async throws {
    try await run { memory, sessions, engine in
      for (id, object) in [
        ("r1", #"{"id":"r1","status":"queued","output":[],"error":null}"#),
        ("r2", #"{"id":"r2","status":"in_progress","output":[],"error":null}"#), ("r3", "no JSON"),
      ] {
        #expect(await memory.responses.add(response(id, nil, object), input: [StoredItem(id: "i", object: "{}")]))
      }
      await memory.start(sessions, engine)
      for id in ["r1", "r2"] {
        let kept = try #require(await memory.responses.response(id, of: Self.owner))
        let object = try JSONValue(parsing: kept.object)
        #expect(kept.stage == .ended && object["status"] == "failed" && object.id == id)
        #expect(object["error"]?["code"] == "server_error")
        #expect(object["error"]?["message"]?.stringValue?.isEmpty == false)
        #expect(await memory.responses.history(of: id, Self.owner)?.count == 1)
      }
    }
  }

  @Test @LoopActor func threadsOfWhichNoResponseIsLeftAreDeleted() async throws {
    try await run { memory, sessions, engine in
      let keys = (0..<2).map { _ in SessionKey.ofResponses(owner: Self.owner, profile: .agent) }
      for (number, key) in keys.enumerated() {
        await sessions.bind(
          key,
          SessionRecord(
            current: ThreadRecord(id: ThreadID("current\(number)")),
            others: [ThreadRecord(id: ThreadID("branch\(number)"))], createdAt: unixTime(), usedAt: unixTime(),
            turns: 1))
        var response = response("r\(number)", key, "{}")
        #expect(await memory.responses.add(response, input: []))
        response.stage = .ended
        #expect(await memory.responses.end(response, output: []))
      }
      #expect(await memory.responses.remove("r0", of: Self.owner))
      await memory.start(sessions, engine)
      #expect(Set(engine.deleted) == [ThreadID("current0"), ThreadID("branch0")])
      let records = (try await sessions.record(keys[0]), try await sessions.record(keys[1]))
      #expect(records.0 == nil && records.1 != nil)
    }
  }
}

extension JSONValue {
  fileprivate var id: String { self["id"]?.stringValue ?? "" }
}
