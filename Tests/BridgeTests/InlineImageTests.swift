// Images that stand in the request: which are handed on as they were sent, and what is written for the others.

import FoundationEssentials
import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct InlineImageTests {
  private static let limit = 1 << 20
  /// Its last letter stands for two bits that say nothing.
  private static let gif = Array("GIF89a and what is no picture".utf8)
  private static let gifText = "R0lGODlhIGFuZCB3aGF0IGlzIG5vIHBpY3R1cmU="

  private func read(_ url: String) throws -> InlineImage { try InlineImage.read(url, maxBytes: Self.limit).get() }

  /// Where the text of a string lies in memory.
  private func place(of text: String) -> UnsafePointer<UInt8>? {
    text.utf8.span.withUnsafeBufferPointer { $0.baseAddress }
  }

  @Test(arguments: [0, 1, 2, 300, 50_000])
  func whatAnEncoderWritesIsHandedOnItself(_ more: Int) throws {
    for (head, format) in [
      ("image/png", ImageFormat.png), ("image/jpeg", .jpeg), ("image/gif", .gif), ("image/webp", .webp),
    ] {
      let bytes = (0..<30 + more).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let url = "data:\(head);base64,\(Data(bytes).base64EncodedString())"
      let image = try read(url)
      #expect(image.bytes == bytes)
      let handedOn = image.dataURL(as: format)
      #expect(Array(handedOn.utf8) == Array(url.utf8))
      #expect(place(of: handedOn) == place(of: url), "it was copied")
    }
  }

  @Test(arguments: [
    // Another type than the bytes have, however it is spelt.
    "data:image/png;base64,\(gifText)", "data:image/GIF;base64,\(gifText)", "data:;base64,\(gifText)",
    "data:text/html;base64,\(gifText)", "data:image/gif2;base64,\(gifText)",
    // Parameters, and marks in another case.
    "data:image/gif;charset=utf-8;base64,\(gifText)", "data:image/gif;a=b;base64,\(gifText)",
    "data:image/gif; base64;base64,\(gifText)", "data:image/gif;BASE64,\(gifText)",
    "DATA:image/gif;base64,\(gifText)",
    "data: image/gif;base64,\(gifText)",
    // Base64 that an encoder would write in another way.
    "data:image/gif;base64,\(gifText.dropLast())", "data:image/gif;base64,\(gifText.dropLast(2))V=",
    "data:image/gif;base64, \(gifText)", "data:image/gif;base64,\(gifText)\n",
    "data:image/gif;base64,R0lG\r\n\(gifText.dropFirst(4))", "data:image/gif;base64,\(gifText.dropLast())%3D",
    "data:image/gif;base64,%52\(gifText.dropFirst())",
  ])
  func everyOtherFormIsWrittenAnew(_ url: String) throws {
    let image = try read(url)
    #expect(image.bytes == Self.gif)
    #expect(image.dataURL(as: .gif) == "data:image/gif;base64,\(Self.gifText)")
  }

  @Test func theAlphabetOfURLsIsWrittenAnew() throws {
    let image = try read("data:image/png;base64,-_-_")
    #expect(image.bytes == [0xFB, 0xFF, 0xBF])
    #expect(image.dataURL(as: .png) == "data:image/png;base64,+/+/")
  }

  /// A character that would join the comma to what follows is none of base64.
  @Test(arguments: [
    "data:image/gif;base64,\u{301}\(gifText)", "data:image/gif;base64", "data:image/gif,\(gifText)", "data:,",
    "data:",
    "data:image/gif;base64,R0l*", "data:image/gif;base64,R=lG", "data:image/gif;base64,RRRRR",
  ])
  func whatIsNoneIsRefused(_ url: String) {
    #expect(throws: ImageFailure.self) { try read(url) }
  }

  @Test func aLargerOneIsRefused() throws {
    let text = Data(repeating: 7, count: 40).base64EncodedString()
    #expect(throws: ImageFailure.tooLarge) {
      try InlineImage.read("data:image/png;base64,\(text)", maxBytes: 30).get()
    }
  }

  /// As the whole resolver sees it.
  @Test func theCheckedPictureIsTheOneThatWasSent() throws {
    let image = try read(TestImage.dataURL)
    #expect(ImageFormat(sniffing: image.bytes) == .png)
    #expect(place(of: image.dataURL(as: .png)) == place(of: TestImage.dataURL))
    #expect(image.dataURL(as: .gif) == "data:image/gif;base64,\(TestImage.base64)")
  }
}
