// Who is there for an answer, as scripts of what happens and what follows from it.

import Testing

@testable import Bridge

struct AnswerAttendanceTests {
  private enum Fact {
    case joins, leaves, graceEnds, ends, isCancelled
    case starts(AnswerAttendance.Patience)
  }

  private func play(_ facts: [Fact]) -> ([AnswerAttendance.Action], AnswerAttendance) {
    var attendance = AnswerAttendance()
    let actions = facts.map { fact -> AnswerAttendance.Action in
      switch fact {
      case .joins: return attendance.joined()
      case .leaves: return attendance.left()
      case .graceEnds: return attendance.graceEnded()
      case .ends: return attendance.ended()
      case .isCancelled: return attendance.cancelled()
      case .starts(let patience):
        attendance.starts(patience)
        return .none
      }
    }
    return (actions, attendance)
  }

  @Test func whoeverLeavesBeforeTheStartEndsIt() {
    let (actions, attendance) = play([.leaves, .starts(.grace), .leaves, .graceEnds, .ends])
    #expect(actions == [.abandon, .none, .none, .none, .none])
    #expect(attendance.isAbandoned && !attendance.isAttended)
  }

  @Test func aReaderThatHasJoinedKeepsTheStart() {
    let (actions, attendance) = play([.joins, .leaves, .starts(.none), .leaves])
    #expect(actions == [.none, .none, .none, .abandon])
    #expect(attendance.isAbandoned)
  }

  @Test func theGraceIsThatOfTheLastReader() {
    let (actions, attendance) = play([
      .starts(.grace), .joins, .leaves, .leaves, .joins, .leaves, .graceEnds,
    ])
    #expect(actions == [.none, .none, .none, .startGrace, .stopGrace, .startGrace, .abandon])
    #expect(attendance.isAbandoned)
  }

  @Test func aTurnMayEndDuringTheGrace() {
    let (actions, attendance) = play([.starts(.grace), .leaves, .ends, .graceEnds, .joins, .ends])
    #expect(actions == [.none, .startGrace, .stopGrace, .none, .none, .none])
    #expect(!attendance.isAbandoned && !attendance.isAttended)
  }

  @Test func aTurnThatIsToBeFinishedIsNotAbandoned() {
    let (actions, attendance) = play([.starts(.endless), .leaves, .joins, .leaves, .graceEnds, .joins])
    #expect(actions == [.none, .none, .none, .none, .abandon, .none])
    #expect(attendance.isAbandoned)
    let (later, begun) = play([.leaves, .starts(.endless), .joins, .ends])
    #expect(later == [.abandon, .none, .none, .none])
    #expect(!begun.isAbandoned && begun.isAttended)
  }

  @Test func whoCancelsItEndsItWhoeverReads() {
    let (actions, attendance) = play([.joins, .starts(.endless), .isCancelled, .isCancelled, .leaves, .ends])
    #expect(actions == [.none, .none, .abandon, .none, .none, .none])
    #expect(attendance.isAbandoned)
    #expect(play([.starts(.endless), .leaves, .isCancelled]).0 == [.none, .none, .abandon])
    #expect(
      play([.starts(.grace), .leaves, .isCancelled, .graceEnds]).0 == [.none, .startGrace, .abandon, .none])
    let (late, over) = play([.ends, .isCancelled])
    #expect(late == [.none, .none] && !over.isAbandoned)
  }

  /// An answer in the background is made whether or not anybody has waited for its start.
  @Test func anEndlessAnswerOutlivesItsReaders() {
    let (actions, attendance) = play([.starts(.endless), .leaves, .ends])
    #expect(actions == [.none, .none, .none])
    #expect(!attendance.isAbandoned && !attendance.isAttended)
  }
}
