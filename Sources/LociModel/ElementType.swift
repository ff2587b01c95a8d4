/// What a cell is made of. Packed types hold bipolar integers of 1 to 8 bits.
public enum ElementType: Hashable, Sendable {
    case raw, float32, float16, bfloat16, int8, uint8
    case packed(bits: UInt8)

    /// Number on the wire and on disk.
    public var code: UInt32 {
        switch self {
        case .raw: 1
        case .float32: 2
        case .float16: 3
        case .bfloat16: 4
        case .int8: 5
        case .uint8: 6
        case .packed(let bits): 16 + UInt32(bits)
        }
    }

    public init?(code: UInt32) {
        switch code {
        case 1: self = .raw
        case 2: self = .float32
        case 3: self = .float16
        case 4: self = .bfloat16
        case 5: self = .int8
        case 6: self = .uint8
        case 17...24: self = .packed(bits: UInt8(code - 16))
        default: return nil
        }
    }

    public var bitsPerElement: UInt64 {
        switch self {
        case .raw, .int8, .uint8: 8
        case .float32: 32
        case .float16, .bfloat16: 16
        case .packed(let bits): UInt64(bits)
        }
    }

    public static let names = [
        "raw", "float32", "float16", "bfloat16", "int8", "uint8", "packed1 ... packed8",
    ]

    public init?(name: String) {
        switch name {
        case "raw": self = .raw
        case "float32": self = .float32
        case "float16": self = .float16
        case "bfloat16": self = .bfloat16
        case "int8": self = .int8
        case "uint8": self = .uint8
        default:
            guard name.hasPrefix("packed"), let bits = UInt8(name.dropFirst(6)), 1...8 ~= bits
            else { return nil }
            self = .packed(bits: bits)
        }
    }

    public var name: String {
        switch self {
        case .raw: "raw"
        case .float32: "float32"
        case .float16: "float16"
        case .bfloat16: "bfloat16"
        case .int8: "int8"
        case .uint8: "uint8"
        case .packed(let bits): "packed\(bits)"
        }
    }
}
