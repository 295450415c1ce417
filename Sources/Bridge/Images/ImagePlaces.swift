// Who may read, fetch or unpack an image now. Each way has places of its own, so that a slow server holds up nobody's
// files, and each key has a share of them.

/// That somebody still wants an image.
@LoopActor
final class ImageWish {
  let owner: Principal
  private(set) var isAbandoned = false
  /// Ends what is done for it now.
  var onAbandon: (@LoopActor () -> Void)?

  nonisolated init(of owner: Principal = .everybody) { self.owner = owner }

  /// The client has left.
  func abandon() {
    isAbandoned = true
    let end = onAbandon
    onAbandon = nil
    end?()
  }

  /// Waits for a permit. False if nobody wants it any more; it must be given back in any case.
  func wait(for permit: PermitQueue.Ticket) async -> Bool {
    guard !isAbandoned else { return false }
    onAbandon = { permit.release() }
    let isGranted = await permit.wait()
    onAbandon = nil
    return isGranted && !isAbandoned
  }
}

/// The places of all requests.
@LoopActor
final class ImagePlaces {
  private enum Limit {
    /// Downloads at once: each is a process.
    static let remote = 8
    /// Files at once: each takes one of the four threads that do what blocks, for as long as a disk likes.
    static let local = 1
    /// Images that wait for either. Each holds a connection and its request.
    static let waiting = 256
    /// An image of fewer pixels is unpacked in no more memory than a turn takes anyway.
    static let smallPixels = 2_000_000
    static let middlePixels = 16_000_000
    /// Requests whose images may be unpacked at once. The engine unpacks those of a request one after the other, so these
    /// are 192 million pixels at most, and more would only be more memory.
    static let middle = 4
    static let large = 2
  }

  private let remoteQueue: PermitQueue
  private let localQueue: PermitQueue
  private let middleQueue: PermitQueue
  private let largeQueue: PermitQueue

  init(hasSeveralKeys: Bool) {
    let queue = { (permits: Int) in
      var limits = PermitQueue.Limits(permits: permits, maxWaiting: Limit.waiting)
      if hasSeveralKeys {
        limits.permitsPerLane = max(1, permits * 3 / 4)
        limits.maxWaitingPerLane = Limit.waiting * 3 / 4
      }
      return PermitQueue(limits)
    }
    remoteQueue = queue(Limit.remote)
    localQueue = queue(Limit.local)
    middleQueue = queue(Limit.middle)
    largeQueue = queue(Limit.large)
  }

  func remote(
    _ wish: ImageWish, _ body: @LoopActor () async throws(ImageFailure) -> [UInt8]
  ) async throws(ImageFailure) -> [UInt8] { try await limited(remoteQueue, wish, body) }

  func local(
    _ wish: ImageWish, _ body: @LoopActor () async throws(ImageFailure) -> [UInt8]
  ) async throws(ImageFailure) -> [UInt8] { try await limited(localQueue, wish, body) }

  /// A place for a request whose largest image has this weight; nil for one that needs none.
  func unpacking(
    weight: Int, _ wish: ImageWish
  ) async throws(ImageFailure) -> PermitQueue.Ticket? {
    guard weight > Limit.smallPixels else { return nil }
    return try await place(in: weight > Limit.middlePixels ? largeQueue : middleQueue, wish)
  }

  private func limited(
    _ queue: PermitQueue, _ wish: ImageWish,
    _ body: @LoopActor () async throws(ImageFailure) -> [UInt8]
  ) async throws(ImageFailure) -> [UInt8] {
    let permit = try await place(in: queue, wish)
    defer { permit.release() }
    return try await body()
  }

  private func place(
    in queue: PermitQueue, _ wish: ImageWish
  ) async throws(ImageFailure) -> PermitQueue.Ticket {
    guard let permit = queue.enter(wish.owner) else { throw .noPlace }
    guard await wish.wait(for: permit) else {
      permit.release()
      throw .abandoned
    }
    return permit
  }
}
