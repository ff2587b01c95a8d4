// Programs that link LociClient name addresses, shapes, bytes and answers; one import gives them
// all.
@_exported public import LociBase
@_exported public import LociModel
@_exported public import LociTransport
@_exported public import LociWire
