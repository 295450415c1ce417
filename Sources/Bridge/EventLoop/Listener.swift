// Listening TCP sockets: bind, accept, and nothing about what is spoken on them.

internal import CLibUV

/// A listening TCP socket.
@LoopActor
final class Listener: Handle {
  /// Connections the kernel may hold before they are accepted. With more, clients wait for a bridge that is overloaded; with
  /// fewer, a burst of clients is refused.
  private static let backlog: Int32 = 1024
  /// Connections that are accepted before the loop looks at other sockets again; each takes some ten microseconds. With
  /// more, other clients wait longer; with fewer, a burst takes more turns.
  private static let maxAcceptedPerTurn = 64

  /// When the last connection came, and how many have come in that turn of the loop.
  private var turn = Duration.zero
  private var acceptedInTurn = 0
  private var onConnection: (@LoopActor (ByteStream) -> Void)?
  private var onAcceptFailure: (@LoopActor (LoopError) -> Void)?

  /// Binds and listens. Port 0 lets the system choose; see `address`.
  init(
    on address: SocketAddress,
    onConnection: @escaping @LoopActor (ByteStream) -> Void,
    onAcceptFailure: @escaping @LoopActor (LoopError) -> Void
  ) throws(LoopError) {
    self.onConnection = onConnection
    self.onAcceptFailure = onAcceptFailure
    try super.init(UV_TCP, as: uv_tcp_t.self) { uv_tcp_init($1, $0) }
    let tcp = pointer(as: uv_tcp_t.self)
    // Without this an IPv6 wildcard would also claim the IPv4 one, and listening on both would fail.
    let flags = address.isIPv6 ? UInt32(UV_TCP_IPV6ONLY.rawValue) : 0
    var status = address.withPointer { uv_tcp_bind(tcp, $0, flags) }
    if status == 0 { status = listen() }
    if status < 0 {
      close()
      throw LoopError(status, "listen on \(address.description)")
    }
  }

  /// Listens on a socket that was bound by somebody else, such as the service manager.
  init(
    descriptor: Int32,
    onConnection: @escaping @LoopActor (ByteStream) -> Void,
    onAcceptFailure: @escaping @LoopActor (LoopError) -> Void
  ) throws(LoopError) {
    self.onConnection = onConnection
    self.onAcceptFailure = onAcceptFailure
    try super.init(UV_TCP, as: uv_tcp_t.self) { uv_tcp_init($1, $0) }
    var status = uv_tcp_open(pointer(as: uv_tcp_t.self), descriptor)
    if status == 0 { status = listen() }
    if status < 0 {
      close()
      throw LoopError(status, "listen on the inherited descriptor \(descriptor)")
    }
  }

  /// The bound address, with the port the system chose.
  var address: SocketAddress? {
    SocketAddress { uv_tcp_getsockname(pointer(as: uv_tcp_t.self), $0, $1) }
  }

  private func listen() -> Int32 {
    uv_listen(pointer(as: uv_stream_t.self), Self.backlog) { server, status in
      Listener.owner(of: server)?.connectionCame(status)
    }
  }

  /// libuv would go on until no connection waits. It reports no other one before this one is accepted.
  private func connectionCame(_ status: Int32) {
    if turn != Loop.now {
      turn = Loop.now
      acceptedInTurn = 0
    }
    acceptedInTurn += 1
    if status == 0, acceptedInTurn > Self.maxAcceptedPerTurn { pauseUntilNextTurn() } else { accept(status) }
  }

  /// Accepts the connection that libuv holds; libuv then asks the kernel for others by itself.
  override func resumeFromPause() { accept(0) }

  private func accept(_ status: Int32) {
    do throws(LoopError) {
      try LoopError.check(status, "accept a connection")
      let stream = try ByteStream.tcp()
      let accepted = uv_accept(pointer(as: uv_stream_t.self), stream.pointer(as: uv_stream_t.self))
      guard accepted == 0 else {
        stream.close()
        throw LoopError(accepted, "accept a connection")
      }
      // Tokens are small and must not wait for an acknowledgement of the one before.
      uv_tcp_nodelay(stream.pointer(as: uv_tcp_t.self), 1)
      onConnection?(stream)
    } catch {
      onAcceptFailure?(error)
    }
  }

  override func willClose() {
    onConnection = nil
    onAcceptFailure = nil
  }
}

extension ByteStream {
  /// The other end's address, nil once it is gone.
  var peerAddress: SocketAddress? {
    SocketAddress { uv_tcp_getpeername(pointer(as: uv_tcp_t.self), $0, $1) }
  }
}
