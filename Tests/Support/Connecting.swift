// Outgoing TCP connections on the loop. Only tests are clients; the bridge has its images fetched by curl.

internal import CLibUV

@testable import Bridge

extension ByteStream {
  /// A TCP connection to `address`.
  static func connect(to address: SocketAddress) async throws(LoopError) -> ByteStream {
    let stream = try ByteStream.tcp()
    let attempt = ConnectAttempt()
    let status = await attempt.run(stream, address)
    guard status == 0 else {
      stream.close()
      throw LoopError(status, "connect to \(address.description)")
    }
    uv_tcp_nodelay(stream.pointer(as: uv_tcp_t.self), 1)
    return stream
  }
}

/// One `uv_tcp_connect` under way.
@LoopActor
private final class ConnectAttempt {
  private let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
  private var continuation: UnsafeContinuation<Int32, Never>?

  func run(_ stream: ByteStream, _ address: SocketAddress) async -> Int32 {
    defer { request.deallocate() }
    return await withUnsafeContinuation { continuation in
      self.continuation = continuation
      request.pointee.data = Unmanaged.passUnretained(self).toOpaque()
      let status = address.withPointer {
        uv_tcp_connect(request, stream.pointer(as: uv_tcp_t.self), $0) { request, status in
          guard let data = request?.pointee.data else { return }
          Unmanaged<ConnectAttempt>.fromOpaque(data).takeUnretainedValue().continuation?.resume(returning: status)
        }
      }
      if status < 0 { continuation.resume(returning: status) }
    }
  }
}
