// Places for images: one way is not held up by another, one key not by another, and who leaves gives his back.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ImagePlacesTests {
  private static let alice = Principal(name: "alice")
  private static let bob = Principal(name: "bob")

  /// Takes a place until `end`, and notes when it has one.
  @LoopActor
  private final class Guest {
    let wish: ImageWish
    var isIn = false
    var failure: ImageFailure?
    let end = Waiter<Void>()
    let left = Waiter<Void>()

    init(of owner: Principal) { wish = ImageWish(of: owner) }

    func fetch(_ places: ImagePlaces) {
      Loop.spawn {
        do throws(ImageFailure) {
          _ = try await places.remote(self.wish) { () async throws(ImageFailure) in
            self.isIn = true
            self.wish.onAbandon = { self.end.finish() }
            await self.end.value()
            return []
          }
        } catch {
          self.failure = error
        }
        self.left.finish()
      }
    }
  }

  @LoopActor
  private func guests(_ count: Int, of owner: Principal, at places: ImagePlaces) async -> [Guest] {
    let guests = (0..<count).map { _ in Guest(of: owner) }
    for guest in guests { guest.fetch(places) }
    await Loop.nextTurn()
    return guests
  }

  @LoopActor
  private func dismiss(_ guests: [Guest]) async {
    for guest in guests { guest.wish.abandon() }
    for guest in guests { await guest.left.value() }
  }

  @Test @LoopActor func aKeyLeavesRoomForOthers() async throws {
    let places = ImagePlaces(hasSeveralKeys: true)
    let many = await guests(300, of: Self.alice, at: places)
    #expect(many.count { $0.isIn } == 6)
    // More than may wait: told so at once, and when to come again.
    let refused = many.filter { $0.failure == .noPlace }
    #expect(refused.count == 300 - 6 - 192)
    let error = APIError(ImageError(failure: .noPlace, field: "messages[0].content[0]"))
    #expect(error.status == 429)
    #expect(error.code == "rate_limit_exceeded")
    #expect(error.retryAfter == 2)
    let other = await guests(1, of: Self.bob, at: places)
    #expect(other[0].isIn)
    await dismiss(many + other)
  }

  @Test @LoopActor func localFilesDoNotWaitForTheWeb() async throws {
    let places = ImagePlaces(hasSeveralKeys: false)
    let many = await guests(100, of: .everybody, at: places)
    let bytes = try await places.local(ImageWish()) { () async throws(ImageFailure) in [1] }
    #expect(bytes == [1])
    await dismiss(many)
  }

  @Test @LoopActor func whoLeavesGivesHisPlaceBack() async throws {
    let places = ImagePlaces(hasSeveralKeys: false)
    let first = await guests(8, of: .everybody, at: places)
    let waiting = await guests(2, of: .everybody, at: places)
    #expect(waiting.allSatisfy { !$0.isIn })
    waiting[0].wish.abandon()
    await waiting[0].left.value()
    #expect(waiting[0].failure == .abandoned)
    first[0].wish.abandon()
    await first[0].left.value()
    #expect(await eventually { waiting[1].isIn })
    await dismiss(first + waiting)
    let next = await guests(8, of: .everybody, at: places)
    #expect(next.allSatisfy { $0.isIn })
    await dismiss(next)
  }

  /// Small pictures need no place, the others have few.
  @Test @LoopActor func fewMayBeUnpackedAtOnce() async throws {
    let places = ImagePlaces(hasSeveralKeys: false)
    #expect(try await places.unpacking(weight: 1_000_000, ImageWish()) == nil)
    var held: [PermitQueue.Ticket] = []
    for weight in [60_000_000, 17_000_000] {
      held.append(try #require(try await places.unpacking(weight: weight, ImageWish())))
    }
    for _ in 0..<4 { held.append(try #require(try await places.unpacking(weight: 12_000_000, ImageWish()))) }
    let wish = ImageWish()
    let end = Waiter<Void>()
    var failure: ImageFailure?
    Loop.spawn {
      do throws(ImageFailure) {
        _ = try await places.unpacking(weight: 60_000_000, wish)
      } catch {
        failure = error
      }
      end.finish()
    }
    await Loop.nextTurn()
    #expect(!end.isFinished)
    wish.abandon()
    await end.value()
    #expect(failure == .abandoned)
    for ticket in held { ticket.release() }
    try await places.unpacking(weight: 60_000_000, ImageWish())?.release()
  }
}

@Suite(.onLoop)
struct ImageAbandonWireTests {
  /// A client that hangs up while its image is fetched: the fetch ends, long before its time is over.
  @Test @LoopActor func aClientThatLeavesEndsItsFetch() async throws {
    var asked = 0
    var gone = 0
    let web = try TestServer { request, writer in
      asked += 1
      request.onClientGone { gone += 1 }
      while !request.isClientGone { await Loop.nextTurn() }
      writer.finish()
    }
    defer { web.stop() }
    try await GatewayServer.run(["CODEX_IMAGE_ALLOW_PRIVATE": "true"], paces: Paces(imageTimeout: .seconds(600))) {
      server in
      let part = #"{"type":"image_url","image_url":{"url":"http://127.0.0.1:\#(web.port)/x.png"}}"#
      let request = GatewayServer.chat(body: #"{"messages":[{"role":"user","content":[\#(part)]}]}"#)
      let client = try await server.connect()
      client.send(request)
      #expect(await eventually { asked == 1 })
      client.close()
      #expect(await eventually { gone == 1 })
      #expect(server.engine.started.isEmpty)
    }
  }
}
