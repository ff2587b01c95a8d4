import ArgumentParser
import Foundation
import LociClient

/// How people name cells of a field: a place, or a list.
struct NamedCellsOption: ParsableArguments {
    @Argument(
        help: ArgumentHelp("A cell, or FIRST:END without END itself.", valueName: "cell[:end]"))
    var place: String?
    @Option(
        help: ArgumentHelp(
            "Scattered cells: @FILE of little-endian 64-bit numbers, or 1,2,3.", valueName: "cells")
    )
    var cells: String?

    var isEmpty: Bool { place == nil && cells == nil }

    var selection: CellSelection {
        get throws { try CellSelection(place: place, cells: cells) }
    }
}

/// Which cells of a field a command means.
enum CellSelection {
    case range(Range<CellIndex>)
    case scattered([CellIndex])

    var count: UInt64 {
        switch self {
        case .range(let range): range.upperBound - range.lowerBound
        case .scattered(let cells): UInt64(cells.count)
        }
    }

    /// - Parameters:
    ///   - place: `42`, or `42:50` for 42 up to, not including, 50.
    ///   - cells: `@file` of little-endian 64-bit numbers, or `1,2,3`.
    init(place: String?, cells: String?) throws {
        switch (place, cells) {
        case (let place?, nil): self = .range(try Self.range(place))
        case (nil, let cells?): self = .scattered(try Self.list(cells))
        default: throw ValidationError("Give either CELL[:END] or --cells @FILE.")
        }
    }

    private static func range(_ text: String) throws -> Range<CellIndex> {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { UInt64($0) }
        guard numbers.count == parts.count, (1...2).contains(parts.count) else {
            throw ValidationError("'\(text)' is not a cell. Write 42, or 42:50 for 42 to 49.")
        }
        let end = numbers.count == 2 ? numbers[1] : numbers[0] &+ 1
        guard numbers[0] < end else {
            throw ValidationError("'\(text)' names no cells: the end is not part of a range.")
        }
        return numbers[0]..<end
    }

    private static func list(_ text: String) throws -> [CellIndex] {
        if text.hasPrefix("@") {
            let bytes = try InputFile.read(String(text.dropFirst()))
            guard bytes.count % 8 == 0, !bytes.isEmpty else {
                throw LociError(
                    .invalidArgument,
                    "\(text.dropFirst()) holds \(bytes.count) bytes; cells are numbers of 8 bytes.",
                    advice: "Write them little-endian, one after the other.")
            }
            return bytes.values(UInt64.self).map { UInt64(littleEndian: $0) }
        }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { UInt64($0) }
        guard numbers.count == parts.count else {
            throw ValidationError("'\(text)' is not a list of cells. Write 1,2,3 or @FILE.")
        }
        return numbers
    }

    /// The numbers of a part of the selected cells.
    func cells(_ part: Range<Int>) -> [CellIndex] {
        switch self {
        case .range(let range): part.map { range.lowerBound + UInt64($0) }
        case .scattered(let cells): Array(cells[part])
        }
    }
}

/// Files that are given on the command line.
enum InputFile {
    /// A whole file, or standard input for `-`.
    static func read(_ path: String) throws(LociError) -> Bytes {
        let data: Data?
        if path == "-" {
            data = try? FileHandle.standardInput.readToEnd() ?? Data()
        } else {
            data = FileManager.default.contents(atPath: path)
        }
        guard let data else {
            throw LociError(
                .notFound, "The file \(path) cannot be read.",
                advice: "Check that it exists and that you may read it.")
        }
        return Bytes([UInt8](data))
    }
}

/// A file that appears under its name only once it is complete.
struct OutputFile {
    private let path: String
    private let partialPath: String
    private let isReplaced: Bool
    private let handle: FileHandle

    /// `-` is standard output. An ordinary file is replaced as a whole when everything is there; a
    /// device or pipe is written to as it is; a folder is refused.
    init(_ path: String) throws(LociError) {
        let resolved = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
        self.path = path == "-" ? path : resolved
        partialPath = "\(resolved).partial-\(ProcessInfo.processInfo.processIdentifier)"
        let type = try? FileManager.default.attributesOfItem(atPath: resolved)[.type]
        isReplaced = type == nil || type as? FileAttributeType == .typeRegular
        if path == "-" {
            handle = .standardOutput
            return
        }
        if type as? FileAttributeType == .typeDirectory {
            throw LociError(
                .failedPrecondition, "\(path) is a folder.", advice: "Name a file for --out.")
        }
        if isReplaced {
            _ = FileManager.default.createFile(atPath: partialPath, contents: nil)
        }
        guard let handle = FileHandle(forWritingAtPath: isReplaced ? partialPath : resolved) else {
            throw Self.cannotWrite(path)
        }
        self.handle = handle
    }

    func write(_ bytes: Bytes) throws(LociError) {
        do {
            try handle.write(contentsOf: Data(bytes.array))
        } catch {
            discard()
            throw Self.cannotWrite(path)
        }
    }

    func finish() throws(LociError) {
        guard path != "-" else { return }
        do {
            try handle.close()
        } catch {
            discard()
            throw Self.cannotWrite(path)
        }
        if isReplaced, unsafe rename(partialPath, path) != 0 {
            discard()
            throw Self.cannotWrite(path)
        }
    }

    /// Removes what was written.
    func discard() {
        if path != "-", isReplaced { try? FileManager.default.removeItem(atPath: partialPath) }
    }

    private static func cannotWrite(_ path: String) -> LociError {
        LociError(
            .failedPrecondition, "The file \(path) cannot be written.",
            advice: "Check the folder, your rights and the free space.")
    }
}
