"""A thumbnail of a picture: image bytes in, JPEG bytes out, at most 160 pixels a side."""

import io

from PIL import Image, ImageOps

from faas_runtime import Response

SIDE = 160


def handle(picture: bytes):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(picture)))
    image.thumbnail((SIDE, SIDE))
    jpeg = io.BytesIO()
    image.convert("RGB").save(jpeg, "JPEG", quality=85)
    return Response(jpeg.getvalue(), content_type="image/jpeg")
