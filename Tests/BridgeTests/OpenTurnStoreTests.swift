// Open turns in the database: what lasts, whose it is, and what a file that cannot be used costs.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct OpenTurnStoreTests {
  private static func turn(_ id: String, owner: String = "a", calls: [String] = ["c1", "c2"], items: [String])
    -> OpenTurn
  {
    let owner = Principal(name: owner)
    return OpenTurn(
      owner: owner, session: SessionKey(owner: owner, id: "s", profile: .chat), callIDs: calls,
      thread: ThreadID("t"), turnID: id,
      said: [SHA256Digest(of: "x"), SHA256Digest(of: "y")], saidBefore: 1, items: items)
  }

  @Test @LoopActor func aTurnLastsBeyondItsProcess() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let directory = place.path
    let first = OpenTurnStore(Database(directory: directory))
    let open = Self.turn("1", items: ["{}", "[]"])
    #expect(await first.save(open))
    await first.add("3", to: "1")
    await first.add("x", to: "unknown")
    let second = OpenTurnStore(Database(directory: directory))
    var expected = open
    expected.items.append("3")
    #expect(await second.turns(withCall: "c2", of: open.owner) == [expected])
    #expect(await second.turns(withCall: "c2", of: Principal(name: "b")).isEmpty)
    #expect(await second.turns(withCall: "c3", of: open.owner).isEmpty)
    await second.markResumed("1")
    #expect(await first.turns(withCall: "c1", of: open.owner).first?.isResumed == true)
    await second.remove("1")
    #expect(await first.turns(withCall: "c1", of: open.owner).isEmpty)
  }

  @Test @LoopActor func aLaterRoundTakesThePlaceOfTheEarlier() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let directory = place.path
    let store = OpenTurnStore(Database(directory: directory))
    #expect(await store.save(Self.turn("1", items: ["1"])))
    await store.markResumed("1")
    let later = Self.turn("1", calls: ["c3"], items: ["1", "2"])
    #expect(await store.save(later))
    #expect(await store.turns(withCall: "c1", of: later.owner).isEmpty)
    #expect(await store.turns(withCall: "c3", of: later.owner) == [later])
  }

  /// Whoever saves a turn again need not have what is kept of it.
  @Test @LoopActor func itemsAreAddedToWhatIsKept() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let store = OpenTurnStore(Database(directory: place.path))
    #expect(await store.save(Self.turn("1", items: ["1", "2"])))
    await store.add("3", to: "1")
    var later = Self.turn("1", items: ["3", "4"])
    later.keptItems = 2
    #expect(await store.save(later))
    #expect(await store.items(of: "1") == ["1", "2", "3", "4"])
    await store.remove("1")
    // Half of a turn is nothing to go on with.
    #expect(await !store.save(later))
    #expect(await store.items(of: "1") == [])
  }

  @Test @LoopActor func nobodyElseCanReadTheFile() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let directory = place.path
    let store = OpenTurnStore(Database(directory: directory))
    #expect(await store.save(Self.turn("1", items: ["1"])))
    for name in ["state.db", "state.db-wal"] {
      var status = stat()
      #expect(stat("\(directory)/\(name)", &status) == 0 && status.st_mode & 0o777 == 0o600, "\(name)")
    }
  }

  @Test @LoopActor func aDamagedFileIsPutAside() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let directory = place.path
    try FileContents.replace("\(directory)/state.db", with: Array("no database, whatever its name says".utf8))
    let store = OpenTurnStore(Database(directory: directory))
    #expect(await store.save(Self.turn("1", items: ["1"])))
    #expect(access("\(directory)/state.db.damaged", F_OK) == 0)
  }

  @Test @LoopActor func aFileThatIsALinkIsRefused() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    #expect(symlink("/dev/null", "\(place.path)/state.db") == 0)
    let store = OpenTurnStore(Database(directory: place.path))
    #expect(await !store.save(Self.turn("1", items: ["1"])))
  }

  @Test @LoopActor func whoKeepsNothingHasNoFile() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let store = OpenTurnStore(Database(directory: place.path))
    #expect(await store.turns(withCall: "c1", of: .everybody).isEmpty)
    await store.remove("1")
    #expect(access("\(place.path)/state.db", F_OK) != 0)
  }
}
