// The base of every libuv handle: one owner of the C memory, one way out.

internal import CLibUV

/// A libuv handle and the C memory it lives in.
///
/// An open handle keeps itself alive: libuv holds a reference until the close callback has run, which is also
/// where the memory is freed. Nothing else frees it.
@LoopActor
class Handle {
  /// Handles opened and not yet fully closed, for leak checks in tests.
  private(set) static var openCount = 0

  private let memory: UnsafeMutableRawPointer
  private(set) var isClosing = false
  private var isOpen = false

  /// Allocates the memory of a handle and runs `initialize` (a `uv_*_init`) on it.
  init<C>(
    _ type: uv_handle_type,
    as _: C.Type,
    initialize: (UnsafeMutablePointer<C>, UnsafeMutablePointer<uv_loop_t>) -> Int32
  ) throws(LoopError) {
    // libuv says how large its handles are, so a newer library with larger ones is safe.
    memory = .allocate(byteCount: uv_handle_size(type), alignment: 16)
    let status = initialize(memory.assumingMemoryBound(to: C.self), LoopActor.shared.executor.loop)
    guard status == 0 else {
      memory.deallocate()
      throw LoopError(status, "make a handle")
    }
    isOpen = true
    Self.openCount += 1
    pointer(as: uv_handle_t.self).pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  /// libuv's subtypes share a prefix, so one block of memory is seen as any of them.
  final func pointer<C>(as _: C.Type) -> UnsafeMutablePointer<C> {
    memory.assumingMemoryBound(to: C.self)
  }

  /// The object behind a handle that libuv passes to a callback, nil once it is closing.
  static func owner<C>(of handle: UnsafeMutablePointer<C>?) -> Self? {
    guard let handle else { return nil }
    let base = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
    guard let data = base.pointee.data else { return nil }
    let owner = Unmanaged<Handle>.fromOpaque(data).takeUnretainedValue()
    return owner.isClosing ? nil : owner as? Self
  }

  /// Closes the handle; the second call does nothing. No callback but `didClose` runs afterwards.
  final func close() {
    guard !isClosing else { return }
    isClosing = true
    willClose()
    uv_close(pointer(as: uv_handle_t.self)) { handle in
      guard let data = handle?.pointee.data else { return }
      let owner = Unmanaged<Handle>.fromOpaque(data).takeRetainedValue()
      Handle.openCount -= 1
      owner.didClose()
      owner.memory.deallocate()
    }
  }

  // MARK: Pauses

  private static var paused: [Handle] = []

  /// Asks for `resumeFromPause` in the next loop turn. For work that would otherwise go on for as long as others send.
  final func pauseUntilNextTurn() { Self.paused.append(self) }

  /// Ends all pauses. Called once in each loop turn, before the loop looks at its sockets.
  static func resumePaused() {
    guard !paused.isEmpty else { return }
    let handles = paused
    paused.removeAll(keepingCapacity: true)
    for handle in handles where !handle.isClosing { handle.resumeFromPause() }
  }

  /// Called in the loop turn after `pauseUntilNextTurn`, unless the handle is closing.
  func resumeFromPause() {}

  // MARK: End

  /// Called before `uv_close`: break reference cycles here.
  func willClose() {}

  /// Called when libuv has let go of the handle.
  func didClose() {}
}
