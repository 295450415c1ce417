// When the map is written and when its journal.

import Glibc
import Testing

@testable import Bridge

struct WriteOrderTests {
  private typealias Extent = SessionJournal.Extent
  private let few = ThreadMap.maxSorted
  private let many = ThreadMap.maxSorted + 500

  private func version(_ lines: Int) -> JournalFile.Version {
    JournalFile.Version(extent: Extent(bytes: lines * 100, lines: lines), isNamed: true)
  }

  private func extent(_ lines: Int) -> Extent { version(lines).extent }

  /// With a map, a journal of so many lines, and nothing due.
  private func state(lines: Int = 0) -> WriteOrder {
    var state = WriteOrder.found(journal: nil)
    guard lines > 0 else { return state }
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: nil))
    state.appended(.appended(version(lines)), sessions: many)
    return state
  }

  @Test func nothingIsWrittenWithoutNeed() {
    for var state in [WriteOrder.unknown(isUrgent: false), .found(journal: nil), state(lines: 3)] {
      #expect(state.next(sessions: many, hasChanges: false) == nil)
      #expect(state.isIdle)
    }
  }

  @Test func aSmallMapIsWrittenWhole() {
    for var state in [state(), state(lines: 3), .unknown(isUrgent: false)] {
      #expect(state.next(sessions: few, hasChanges: true) == .replace)
      #expect(!state.isIdle)
      #expect(state.next(sessions: few, hasChanges: true) == nil)
      state.replaced(true)
      #expect(state.isIdle)
      #expect(state.next(sessions: few, hasChanges: true) == .replace)
    }
  }

  @Test func aLargeOneGetsAJournal() {
    var state = state(lines: 3)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(3)))
    #expect(state.next(sessions: many, hasChanges: true) == nil)
    state.appended(.failed(.system(ENOSPC)), sessions: many)
    #expect(state.isIdle)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(3)))
  }

  @Test func noJournalWithoutAMapThatItCanFollow() {
    var state = WriteOrder.unknown(isUrgent: true)
    #expect(state.next(sessions: many, hasChanges: false) == .replace)
    state.replaced(false)
    #expect(state.next(sessions: many, hasChanges: false) == .replace)
    state.replaced(true)
    #expect(state.next(sessions: many, hasChanges: false) == nil)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: nil))
  }

  @Test func aLongJournalIsFoldedWhileItGrows() {
    var state = state(lines: many)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(many)))
    state.appended(.appended(version(many + 1)), sessions: many)
    #expect(state.next(sessions: many, hasChanges: true) == .fold)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(many + 1)))
    state.folded(true)
    #expect(state.next(sessions: many, hasChanges: true) == nil, "cut while an append is under way")
    state.appended(.appended(version(many + 2)), sessions: many)
    #expect(
      state.next(sessions: many, hasChanges: true) == .cut(version(many + 2), covered: extent(many + 1)))
    #expect(state.next(sessions: many, hasChanges: true) == nil)
    state.cut(.cut(version(1)))
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(1)))
  }

  @Test func theMapIsWrittenByOneAtATime() {
    var state = WriteOrder.found(journal: version(2))
    #expect(state.next(sessions: many, hasChanges: false) == .fold)
    #expect(!state.isIdle)
    #expect(state.next(sessions: few, hasChanges: true) == .append(to: version(2)))
    state.appended(.appended(version(3)), sessions: few)
    state.folded(true)
    #expect(state.next(sessions: few, hasChanges: true) == .cut(version(3), covered: extent(2)))
    state.cut(.cut(version(1)))
    #expect(state.next(sessions: few, hasChanges: true) == .replace)
    state.replaced(true)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: nil))
  }

  @Test func whatAnEarlierBridgeLeftIsFoldedAtOnce() {
    var small = WriteOrder.found(journal: version(2))
    #expect(small.next(sessions: few, hasChanges: false) == .replace)
    var large = WriteOrder.found(journal: version(2))
    #expect(large.next(sessions: many, hasChanges: false) == .fold)
    large.folded(true)
    #expect(large.next(sessions: many, hasChanges: false) == .cut(version(2), covered: extent(2)))
    large.cut(.cut(nil))
    #expect(large.next(sessions: many, hasChanges: false) == nil)
  }

  @Test(arguments: [false, true]) func aFoldThatFailsIsNotTriedAgainAtOnce(_ isWritten: Bool) {
    var state = WriteOrder.found(journal: version(2000))
    #expect(state.next(sessions: many, hasChanges: false) == .fold)
    state.folded(isWritten)
    if isWritten {
      #expect(state.next(sessions: many, hasChanges: false) == .cut(version(2000), covered: extent(2000)))
      state.cut(.failed(.system(ENOSPC)))
    }
    for lines in [2001, 2000 + many] {
      #expect(state.next(sessions: many, hasChanges: false) == nil)
      #expect(state.next(sessions: many, hasChanges: true) != nil)
      state.appended(.appended(version(lines)), sessions: many)
    }
    _ = state.next(sessions: many, hasChanges: true)
    state.appended(.appended(version(2001 + many)), sessions: many)
    #expect(state.next(sessions: many, hasChanges: false) == .fold)
  }

  @Test func aJournalThatCannotGrowIsFolded() {
    var state = WriteOrder.found(journal: version(2000))
    #expect(state.next(sessions: many, hasChanges: false) == .fold)
    state.folded(false)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(2000)))
    state.appended(.failed(.system(ENOSPC)), sessions: many)
    #expect(state.next(sessions: many, hasChanges: true) == .fold)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(2000)))
  }

  @Test func whatIsLostIsWrittenWhole() {
    var state = state(lines: 3)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(3)))
    state.appended(.lost, sessions: many)
    #expect(state.next(sessions: many, hasChanges: true) == .replace)
  }

  @Test(arguments: [false, true]) func whatIsLostDuringAFoldIsWrittenAfterwards(_ isFolded: Bool) {
    var state = WriteOrder.found(journal: version(3))
    #expect(state.next(sessions: many, hasChanges: true) == .fold)
    #expect(state.next(sessions: many, hasChanges: true) == .append(to: version(3)))
    state.appended(.lost, sessions: many)
    #expect(state.next(sessions: many, hasChanges: true) == nil)
    state.folded(isFolded)
    #expect(state.next(sessions: many, hasChanges: true) == .replace)
  }

  @Test func closingLeavesOneFile() {
    var without = state()
    without.close()
    #expect(without.next(sessions: many, hasChanges: false) == nil)
    #expect(without.next(sessions: many, hasChanges: true) == .replace)
    var with = state(lines: 3)
    with.close()
    #expect(with.next(sessions: many, hasChanges: false) == .replace)
    var unknown = WriteOrder.unknown(isUrgent: false)
    unknown.close()
    #expect(unknown.next(sessions: many, hasChanges: false) == nil)
    var uncut = WriteOrder.found(journal: version(3))
    #expect(uncut.next(sessions: many, hasChanges: false) == .fold)
    uncut.folded(true)
    #expect(uncut.isIdle)
    uncut.close()
    #expect(uncut.next(sessions: many, hasChanges: false) == .replace)
  }
}
