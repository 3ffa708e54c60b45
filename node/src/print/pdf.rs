//! A page as a PDF (ISO 32000): one A4 page with one picture on it.

use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref};

use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::png;

/// A4 in points of 1/72 inch.
const A4: [f32; 2] = [595.276, 841.89];
const PICTURE: Name<'static> = Name(b"Page");

pub(super) fn of(page: &Canvas) -> Vec<u8> {
    let [catalog, pages, sheet, picture, content] = [1, 2, 3, 4, 5].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([sheet]).count(1);
    let mut paper = pdf.page(sheet);
    paper
        .media_box(Rect::new(0.0, 0.0, A4[0], A4[1]))
        .parent(pages)
        .contents(content);
    paper.resources().x_objects().pair(PICTURE, picture);
    paper.finish();
    let packed = png::packed(page, &[]);
    let mut image = pdf.image_xobject(picture, &packed);
    image.filter(Filter::FlateDecode);
    image
        .width(i32::try_from(WIDTH).unwrap_or(i32::MAX))
        .height(i32::try_from(HEIGHT).unwrap_or(i32::MAX))
        .bits_per_component(8)
        .color_space()
        .device_gray();
    image.finish();
    let mut drawing = Content::new();
    drawing
        .save_state()
        .transform([A4[0], 0.0, 0.0, A4[1], 0.0, 0.0])
        .x_object(PICTURE)
        .restore_state();
    pdf.stream(content, &drawing.finish());
    pdf.finish()
}
