// Streams that have ended: how long they are told again, and what they may take.

import Testing

@testable import Bridge

struct EndedStreamsTests {
  private static let owner = Principal(name: "a")

  private func stream(at: Duration, bytes: Int = 10) throws -> EndedStreams.Stream {
    var log = AnswerLog(keepsPieces: true)
    log.append(.answer(EscapedText(String(repeating: "x", count: bytes))))
    let dialect = ResponseDialect(
      ids: ResponseIDs("resp_abc"), echo: try ResponseScript.echo(), style: ResponseStyle(), model: nil)
    return EndedStreams.Stream(
      owner: Self.owner, dialect: dialect, log: log, identity: ResponseScript.identity, fields: [:], failure: nil,
      at: at)
  }

  @Test func aStreamIsKnownForSomeMinutes() throws {
    var streams = EndedStreams()
    #expect(streams.isEmpty && streams.stream("1", at: .zero) == nil)
    streams.keep(try stream(at: .seconds(10)), "1")
    #expect(streams.stream("1", at: .seconds(10) + EndedStreams.lasts)?.owner == Self.owner)
    #expect(streams.stream("1", at: .seconds(11) + EndedStreams.lasts) == nil)
    #expect(streams.stream("2", at: .seconds(10)) == nil && !streams.isEmpty)
  }

  @Test func theSweepForgetsWhatIsTooOld() throws {
    var streams = EndedStreams()
    streams.keep(try stream(at: .seconds(10)), "1")
    streams.keep(try stream(at: .seconds(20)), "2")
    streams.sweep(at: .seconds(10) + EndedStreams.lasts)
    #expect(streams.stream("1", at: .seconds(10)) != nil)
    streams.sweep(at: .seconds(15) + EndedStreams.lasts)
    #expect(streams.stream("1", at: .seconds(10)) == nil && streams.stream("2", at: .seconds(20)) != nil)
    streams.sweep(at: .seconds(21) + EndedStreams.lasts)
    #expect(streams.isEmpty)
  }

  @Test func theOldestMakeRoom() throws {
    var streams = EndedStreams()
    let third = EndedStreams.maxBytes / 3 + 1
    for id in ["1", "2", "3"] { streams.keep(try stream(at: .zero, bytes: third), id) }
    #expect(streams.stream("1", at: .zero) == nil)
    #expect(streams.stream("2", at: .zero) != nil && streams.stream("3", at: .zero) != nil)
    // Kept once, it counts once.
    streams.keep(try stream(at: .zero, bytes: third), "3")
    #expect(streams.stream("2", at: .zero) != nil)
    streams.keep(try stream(at: .zero, bytes: EndedStreams.maxBytes + 1), "huge")
    #expect(streams.isEmpty)
  }
}
