// Where responses and conversations are kept, and what becomes of them with time.

/// The stores of responses and conversations.
@LoopActor
final class ResponseMemory {
  private static let sweepInterval = Duration.seconds(600)

  let responses: any ResponseRepository
  let conversations: any ConversationRepository
  private var sweeper = Ticker()

  init(responses: any ResponseRepository, conversations: any ConversationRepository) {
    self.responses = responses
    self.conversations = conversations
  }

  convenience init(_ database: Database, _ configuration: Configuration) {
    self.init(
      responses: ResponseStore(database, maxAge: configuration[Settings.responsesMaxAge]),
      conversations: ConversationStore(database))
  }

  isolated deinit { sweeper.stop() }

  /// Ends what an earlier process has left unfinished, and forgets what is too old, now and from then on until `stop`. The threads of
  /// conversations to which no response belongs any more are deleted.
  func start(_ sessions: Sessions, _ engine: any TurnEngine) async {
    sweeper.start(every: Self.sweepInterval) { [weak self] in
      guard let self else { return }
      Loop.spawn { await self.sweep(sessions, engine) }
    }
    await failUnfinished()
    await sweep(sessions, engine)
  }

  func stop() { sweeper.stop() }

  private func failUnfinished() async {
    for response in await responses.unfinished() {
      guard var object = (try? JSONValue(parsing: response.object))?.objectValue else { continue }
      object["status"] = "failed"
      object["error"] = [
        "code": "server_error", "message": "The bridge ended while it worked on this response.",
      ]
      var failed = response
      failed.stage = .ended
      failed.object = JSONValue.object(object).jsonText
      _ = await responses.end(failed, output: [])
    }
  }

  private func sweep(_ sessions: Sessions, _ engine: any TurnEngine) async {
    for session in await responses.sweep() {
      guard let record = try? await sessions.record(session) else { continue }
      _ = try? await sessions.forget(session)
      for thread in [record.current] + record.others { await engine.delete(thread.id, endingCommands: true) }
    }
  }
}
