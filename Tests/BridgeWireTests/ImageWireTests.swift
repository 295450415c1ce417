import FoundationEssentials
import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

/// Images from everywhere: what is taken is whole, and what is refused is refused with a reason.
@Suite(.onLoop)
struct ImageWireTests {
  private static let png = [UInt8](Data(base64Encoded: String(TestImage.base64)) ?? Data())

  @Test func takesAWholePNG() {
    #expect(ImageFormat(sniffing: Self.png) == .png)
    #expect(ImageFormat.png.defect(in: Self.png) == nil)
  }

  /// However it is cut or changed, a broken picture is noticed.
  @Test func noticesEveryCutAndEveryChange() {
    for count in 8..<Self.png.count {
      #expect(ImageFormat.png.defect(in: Array(Self.png[..<count])) != nil, "cut at \(count)")
    }
    for index in 8..<Self.png.count {
      var changed = Self.png
      changed[index] ^= 1
      #expect(ImageFormat.png.defect(in: changed) != nil, "changed at \(index)")
    }
  }

  @Test(
    arguments: [
      ([0xFF, 0xD8, 0xFF, 0xE0], ImageFormat.jpeg), (Array("GIF89a".utf8), .gif),
      (Array("RIFF\u{4}\u{0}\u{0}\u{0}WEBP".utf8), .webp),
    ] as [([UInt8], ImageFormat)])
  func sniffs(_ bytes: [UInt8], _ format: ImageFormat) {
    #expect(ImageFormat(sniffing: bytes) == format)
    #expect(format.defect(in: bytes) != nil, "a beginning is no image")
  }

  @Test(arguments: ["", "GIF", "<svg/>", "%PDF-1.4", "RIFFxxxxWAVE"])
  func knowsNothingElse(_ text: String) { #expect(ImageFormat(sniffing: Array(text.utf8)) == nil) }

  // MARK: URLs

  @Test(arguments: [
    "https://user@host/x", "https://user:password@host/x", "http://a b/", "http:///x", "http://", "//host/x",
    "host/x",
    "ftp://host/x", "http://host:0/", "http://host:65536/", "http://host:x/", "http://[::1/", "http://a%41/",
    "http://host\\@other/", "http://ho\u{0}st/", "http://h\r\nX: y/", "https://ü.example/",
    "gopher://host/", "javascript:alert(1)", "http://[::1]x/",
  ])
  func refusesURLs(_ url: String) { #expect(throws: ImageFailure.self) { try ImageURL(url) } }

  @Test(arguments: [
    ("https://host/x?y=z", "host", 443), ("http://host", "host", 80), ("HTTP://Host:8080/x", "Host", 8080),
    ("https://[2606:4700::1]:8443/x", "2606:4700::1", 8443), ("http://1.2.3.4?x", "1.2.3.4", 80),
    ("http://host#@evil", "host", 80), ("http://host:/x", "host", 80),
  ])
  func readsURLs(_ url: String, _ host: String, _ port: Int) throws {
    let parsed = try ImageURL(url)
    #expect(parsed.host == host)
    #expect(parsed.port == port)
  }

  /// The header of a PNG of 30,000 by 30,000 pixels, with next to no data.
  private static let hugeDataURL =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAdTAAAHUwAQAAAABOXMUXAAAAC0lEQVR42mNggAEAAAoAAewkA7kAAAAASUVORK5CYII="

  // MARK: The resolver

  @LoopActor
  private func resolve(
    _ part: JSONValue,
    _ settings: [String: String] = [:],
    paces: Paces = Paces()
  ) async throws -> String? {
    let configuration = try Configuration(sources: [.init(.flag, settings)], paces: paces)
    let body: JSONValue = ["messages": [["role": "user", "content": [part]]]]
    let chat = try ChatRequest(body, userIsSession: false)
    do throws(ImageError) {
      let resolved = try await ImageResolver(configuration: configuration).resolve(
        chat.ask, for: Request.test("r"))
      if case .image(let url, _)? = resolved.ask.conversation.items.first?.parts.first { return url }
      return nil
    } catch {
      throw APIError(error)
    }
  }

  @LoopActor
  private func refusal(
    _ part: JSONValue, _ settings: [String: String] = [:], paces: Paces = Paces()
  ) async throws -> APIError {
    do {
      _ = try await resolve(part, settings, paces: paces)
    } catch let error as APIError {
      return error
    }
    Issue.record("was not refused")
    return .invalid("")
  }

  @Test @LoopActor func takesEveryShapeOfAnInlineImage() async throws {
    let url = JSONValue.string(TestImage.dataURL)
    for part: JSONValue in [
      ["type": "image_url", "image_url": ["url": url]], ["type": "image_url", "image_url": url],
      ["type": "input_image", "image_url": url],
    ] {
      #expect(try await resolve(part) == TestImage.dataURL)
    }
  }

  @Test @LoopActor func saysWhichImageIsBad() async throws {
    let error = try await refusal(["type": "image_url", "image_url": ["url": "data:image/png;base64,AAAA"]])
    #expect(error.status == 400)
    #expect(error.code == "invalid_image")
    #expect(error.param == "messages[0].content[0].image_url.url")
  }

  @Test(arguments: [
    "data:image/png,plain", "data:image/png;base64", "data:image/png;base64,%%%", "data:", "x:y", "",
    "http://127.0.0.1/x.png", "http://[::1]/x.png", "http://localhost/x.png", "https://0x7f.1/x",
    "http://user@8.8.8.8/x", "file://otherhost/etc/passwd", "file:///etc/passwd", "file:///proc/self/environ",
    "file:///dev/zero", "file:../../../../etc/passwd", "file:///%00", "file:///%2e%2e/etc/passwd",
  ])
  @LoopActor func refuses(_ url: String) async throws {
    let error = try await refusal(["type": "image_url", "image_url": ["url": .string(url)]])
    #expect(error.status == 400)
  }

  @Test @LoopActor func namesTheSettingWhenAnImageIsTooLarge() async throws {
    let part: JSONValue = ["type": "image_url", "image_url": ["url": .string(TestImage.dataURL)]]
    let error = try await refusal(part, ["CODEX_IMAGE_LIMIT": "32"])
    #expect(error.status == 413)
    #expect(error.message.contains("CODEX_IMAGE_LIMIT"))
  }

  @Test @LoopActor func boundsTheImagesOfARequestTogether() async throws {
    try await GatewayServer.run(["CODEX_IMAGE_LIMIT": "100"]) { server in
      server.answerAll(["a"])
      let part = #"{"type":"image_url","image_url":{"url":"\#(TestImage.dataURL)"}}"#
      let request = { (count: Int) in
        let parts = Array(repeating: part, count: count).joined(separator: ",")
        return GatewayServer.chat(body: #"{"messages":[{"role":"user","content":[\#(parts)]}]}"#)
      }
      #expect(await server.status(request(2)) == 200)
      let response = try await server.exchange(request(8))
      #expect(response.status == 413)
      #expect(response.error("code") == "images_too_large")
      #expect(response.body.contains("CODEX_IMAGE_LIMIT"))
    }
  }

  /// A few bytes can stand for any number of pixels, and Codex would unpack them.
  @Test @LoopActor func refusesAnImageOfTooManyPixels() async throws {
    let part: JSONValue = ["type": "image_url", "image_url": ["url": .string(Self.hugeDataURL)]]
    let error = try await refusal(part)
    #expect(error.status == 400)
    #expect(error.message.contains("pixels"))
  }

  @Test @LoopActor func readsLocalImagesUnderItsRootsOnly() async throws {
    let inside = try TemporaryDirectory()
    let outside = try TemporaryDirectory()
    defer {
      inside.remove()
      outside.remove()
    }
    for directory in [inside, outside] {
      try FileContents.replace("\(directory.path)/a b.png", with: Self.png)
    }
    symlink("\(outside.path)/a b.png", "\(inside.path)/link.png")
    mkfifo("\(inside.path)/fifo.png", 0o600)
    let settings = ["CODEX_WORKDIR": inside.path]
    let local = { (path: String) -> JSONValue in ["type": "local_image", "path": .string(path)] }
    #expect(try await resolve(local("\(inside.path)/a b.png"), settings) == TestImage.dataURL)
    #expect(try await resolve(local("a b.png"), settings) == TestImage.dataURL)
    let url: JSONValue = .string("file://\(inside.path)/a%20b.png")
    #expect(try await resolve(["type": "image_url", "image_url": ["url": url]], settings) == TestImage.dataURL)
    for path in [
      "\(outside.path)/a b.png", "\(inside.path)/link.png", "\(inside.path)/fifo.png", "\(inside.path)",
      "\(inside.path)/../\(outside.path.dropFirst(5))/a b.png", "\(inside.path)/missing.png",
    ] {
      #expect(try await refusal(local(path), settings).code == "invalid_image", "\(path)")
    }
    let wide = ["CODEX_WORKDIR": inside.path, "CODEX_IMAGE_ROOTS": outside.path]
    #expect(try await resolve(local("\(inside.path)/link.png"), wide) == TestImage.dataURL)
  }

  /// To Swift the same text, to the file system two directories.
  @Test @LoopActor func tellsRootsApartThatLookAlike() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let (composed, decomposed) = ("\(directory.path)/caf\u{E9}", "\(directory.path)/cafe\u{301}")
    for path in [composed, decomposed] { #expect(mkdir(path, 0o700) == 0) }
    let image = "\u{301}.png"
    for path in [composed, decomposed] { try FileContents.replace("\(path)/\(image)", with: Self.png) }
    let settings = ["CODEX_WORKDIR": composed]
    let local = { (path: String) -> JSONValue in ["type": "local_image", "path": .string(path)] }
    #expect(try await resolve(local("\(composed)/\(image)"), settings) == TestImage.dataURL)
    #expect(try await refusal(local("\(decomposed)/\(image)"), settings).code == "invalid_image")
  }

  // MARK: The web

  /// A web server with the pictures and the tricks.
  @LoopActor
  private func withWeb(_ body: @LoopActor (String) async throws -> Void) async throws {
    let png = Self.png
    let server = try TestServer { request, writer in
      switch request.head.path {
      case "/a.png": writer.send(Response(fields: ["Content-Type": "text/plain"], body: png))
      case "/redirect": writer.send(Response(status: 302, fields: ["Location": "/a.png"]))
      case "/loop": writer.send(Response(status: 302, fields: ["Location": "/loop"]))
      case "/file": writer.send(Response(status: 302, fields: ["Location": "file:///etc/passwd"]))
      case "/large": writer.send(Response(body: png + [UInt8](repeating: 0, count: 5000)))
      case "/endless":
        writer.begin(status: 200, fields: [:])
        var part = ByteBuffer()
        part.append([UInt8](repeating: 0, count: 4096))
        while !writer.isGone {
          writer.write(part)
          await writer.waitForRoom()
          await Loop.sleep(.milliseconds(1))
        }
      case "/slow": await Loop.sleep(.seconds(5))
      default: writer.send(Response(status: 404))
      }
    }
    defer { server.stop() }
    try await body("http://127.0.0.1:\(server.port)")
  }

  @Test @LoopActor func fetchesImagesAndFollowsRedirects() async throws {
    try await withWeb { base in
      let settings = ["CODEX_IMAGE_ALLOW_PRIVATE": "true"]
      for path in ["/a.png", "/redirect"] {
        let url = try await resolve(["type": "image_url", "image_url": ["url": .string(base + path)]], settings)
        #expect(url == TestImage.dataURL)
      }
    }
  }

  @Test(arguments: [
    ("/missing", 400), ("/loop", 400), ("/file", 400), ("/large", 413), ("/endless", 413), ("/slow", 400),
  ])
  @LoopActor func refusesWhatTheWebDoes(_ path: String, _ status: Int) async throws {
    try await withWeb { base in
      let settings = ["CODEX_IMAGE_ALLOW_PRIVATE": "true", "CODEX_IMAGE_LIMIT": "1000"]
      let part: JSONValue = ["type": "image_url", "image_url": ["url": .string(base + path)]]
      let error = try await refusal(part, settings, paces: Paces(imageTimeout: .seconds(1)))
      #expect(error.status == status, "\(path): \(error.message)")
    }
  }
}
