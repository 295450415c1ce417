// How the answer to a turn that was accepted begins: as a stream or whole. From then on the turn's events drive it.

/// Begins answers.
@LoopActor
struct AnswerBeginning {
  let completion: AnswerCompletion
  let registry: AnswerRegistry
  let keepAlive: StreamKeepAlive
  let openings: StreamOpenings

  func begin(_ answer: Answer, _ readers: AnswerReaders) {
    let entry = registry.add(answer)
    answer.keeper?.began(answer.identity)
    if answer.isStreamed || answer.keeper?.isBackground == true {
      stream(answer, entry, readers)
    } else {
      gather(answer, entry, readers)
    }
  }

  private func stream(_ answer: Answer, _ entry: Int, _ readers: AnswerReaders) {
    let (dialect, writer) = (readers.first.dialect, readers.first.writer)
    let stream = AnswerStream(answer, to: readers.first, log(of: answer, readers), keepAlive: keepAlive) {
      stream in
      let result = AnswerCompletion.Result(
        stream.failure, stream.usage, stream.openCalls, stream.ending, isWhole: stream.isWhole,
        rendered: stream.kept
      ) {
        stream.seen(in: dialect.wholeRenderer(answer.identity, stops: answer.stops))
      }
      self.completion.complete(answer, entry, result, readers) { failure in
        stream.end(failure)
        self.registry.streamEnded(readers, stream.kept, failure)
        if let failure { return self.registry.failed(readers, failure, answer.response(failure)) }
        self.registry.ended(readers) { stream.kept }
      }
    }
    readers.began(stream, in: answer.session)
    // Whoever was told that it waits has its head already.
    if writer.hasBegun, !writer.isGone { return stream.start() }
    writer.isDeferred = true
    StreamOpening(stream, of: answer.turn, openings).start()
  }

  private func log(of answer: Answer, _ readers: AnswerReaders) -> AnswerLog {
    if readers.keeper != nil { return AnswerLog(keepsPieces: true) }
    if registry.mayBeRepeated(readers) { return AnswerLog() }
    return AnswerLog(limit: answer.noted == nil ? 0 : AnswerLog.maxSeenBytes)
  }

  private func gather(_ answer: Answer, _ entry: Int, _ readers: AnswerReaders) {
    readers.first.writer.isDeferred = true
    let gatherer = AnswerGatherer(answer, to: readers.first) { gathered in
      let result = AnswerCompletion.Result(
        gathered.failure, gathered.usage, gathered.openCalls, gathered.ending, isWhole: gathered.isWhole,
        rendered: gathered.kept
      ) {
        gathered.seen
      }
      self.completion.complete(answer, entry, result, readers) { failure in
        let response = gathered.end(failure)
        if let failure { return self.registry.failed(readers, failure, response) }
        self.registry.ended(readers) { .whole(response) }
      }
    }
    readers.began(gatherer, in: answer.session)
    gatherer.start()
  }
}
