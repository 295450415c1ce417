// The last hour, minute by minute.

import Testing

@testable import Bridge

struct MinuteHistoryTests {
  private typealias Minute = MinuteHistory.Minute

  private static let now = 1_700_000_040

  private static func addTurn(_ minute: inout Minute) { minute.turns += 1 }

  @Test func startsWithAnEmptyHour() {
    var history = MinuteHistory()
    #expect(history.recent(at: Self.now) == Array(repeating: Minute(), count: 60))
  }

  @Test func theMinuteThatGoesOnIsTheLast() {
    var history = MinuteHistory()
    for second in [0, 1, 19] {
      history.update(at: Self.now + second) {
        $0.turns += 1
        $0.failures += second == 1 ? 1 : 0
        $0.tokens += 10
      }
    }
    let recent = history.recent(at: Self.now + 19)
    #expect(recent.last == Minute(turns: 3, failures: 1, tokens: 30))
    #expect(recent.dropLast().allSatisfy { $0 == Minute() })
  }

  /// 1 700 000 040 is the first second of its minute.
  @Test func aMinuteEndsWithItsLastSecond() {
    var history = MinuteHistory()
    history.update(at: Self.now + 59, Self.addTurn)
    history.update(at: Self.now + 60, Self.addTurn)
    #expect(history.recent(at: Self.now + 60).suffix(2).map(\.turns) == [1, 1])
  }

  @Test func whatIsOlderThanAnHourIsGone() {
    var history = MinuteHistory()
    history.update(at: Self.now, Self.addTurn)
    #expect(history.recent(at: Self.now + 59 * 60).map(\.turns) == [1] + Array(repeating: 0, count: 59))
    #expect(history.recent(at: Self.now + 60 * 60).allSatisfy { $0 == Minute() })
  }

  @Test(arguments: [60, 61, 119, 120, 1_000_000, 50_000_000]) func aLongSilenceLeavesNothing(_ minutes: Int) {
    var history = MinuteHistory()
    for minute in 0..<60 { history.update(at: Self.now + minute * 60, Self.addTurn) }
    let later = Self.now + (59 + minutes) * 60
    history.update(at: later, Self.addTurn)
    #expect(history.recent(at: later).map(\.turns) == Array(repeating: 0, count: 59) + [1])
  }

  @Test func aClockThatIsSetBackCountsForTheNewestMinute() {
    var history = MinuteHistory()
    history.update(at: Self.now, Self.addTurn)
    history.update(at: Self.now - 7200, Self.addTurn)
    #expect(history.recent(at: Self.now - 7200).last?.turns == 2)
    #expect(history.recent(at: Self.now).last?.turns == 2)
  }

  /// Compared with a dictionary that forgets nothing.
  @Test func agreesWithACountOfEverything() {
    var random = SeededGenerator(60)
    var history = MinuteHistory()
    var counts: [Int: Int] = [:]
    var second = Self.now
    for _ in 0..<2000 {
      second += Int.random(in: 0...Int.random(in: 0...600, using: &random), using: &random)
      history.update(at: second, Self.addTurn)
      counts[second / 60, default: 0] += 1
      let minute = second / 60
      #expect(history.recent(at: second).map(\.turns) == (minute - 59...minute).map { counts[$0] ?? 0 })
    }
  }
}
