"""The kinds we read: beside each other what the API sends, with only the fields we use, and how it becomes our object.

The API may give null for almost anything, so everything but names is nullable; a value of the wrong type makes the
object malformed. The wire Structs live for a moment; what is kept are the flat objects of `exporter.model.objects`,
with the strings that repeat interned.
"""
