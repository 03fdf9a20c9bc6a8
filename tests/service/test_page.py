"""The page in a real browser: prices while typing, error messages, keyboard and phone."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from amlc.images.fetch_result import Picture
from amlc.pricing.estimates import Product
from amlc.service import price_service
from tests.helpers.layouts import map_with
from tests.helpers.pictures import jpeg
from tests.helpers.pricing import FakePricer, price_of
from tests.service.conftest import Start, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A browser on a busy machine takes its time.
expect.set_options(timeout=60_000)
TEA = "Item Name: Green tea\nValue: nan\nUnit: None\n"
PRICE = re.compile(r"^\d+\.\d\d$")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a headless browser."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, client: httpx.Client) -> Iterator[Page]:
    """Return the opened page; it must send requests to its server only, and raise no error."""
    yield from _opened(browser, str(client.base_url))


def _opened(browser: Browser, address: str, viewport: ViewportSize | None = None) -> Iterator[Page]:
    page = browser.new_page(viewport=viewport)
    requested: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.bring_to_front()
    yield page
    hosts = {urlsplit(url).netloc for url in requested if urlsplit(url).scheme in {"http", "https"}}
    page.close()
    assert hosts == {urlsplit(address).netloc}
    assert not errors


def shown(text: str, picture: bytes | None = None) -> str:
    """Return the price of a product as the page shows it."""
    return f"{price_of(Product(text, picture)):,.2f}"


def drop(page: Page, zone: str, name: str, kind: str, data: bytes) -> None:
    """Drop a file on a zone, as with a mouse."""
    transfer = page.evaluate_handle(
        """([name, type, data]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(data)], name, { type }));
          return transfer;
        }""",
        [name, kind, list(data)],
    )
    page.dispatch_event(zone, "drop", {"dataTransfer": transfer})


def test_a_product_is_priced_while_typing(page: Page) -> None:
    """The price appears with its interval, similar products, contributions and reasons."""
    page.get_by_label("Title").fill("Green tea")
    expect(page.locator("#price")).to_have_text(shown(TEA))
    expect(page.get_by_role("img", name=f"Price {shown(TEA)}")).to_be_visible()
    expect(page.locator("#interval")).to_contain_text("80 %")
    expect(page.locator("#similar li")).to_have_count(3)
    expect(page.locator("#similar img")).to_have_count(2)
    expect(page.locator("#parts li").first).to_contain_text("picture")
    expect(page.locator("#parts li").first).to_contain_text("+4 %")
    expect(page.locator("#reasons")).to_contain_text("no picture")


def test_all_fields_are_sent(page: Page) -> None:
    """Each field becomes a part of the catalogue text."""
    page.get_by_label("Title").fill("Green tea")
    page.get_by_label("Bullet points").fill("Organic\n\nLoose")
    page.get_by_label("Description").fill("Good")
    page.get_by_label("Amount").fill("12,5")
    page.get_by_label("Unit").fill("Ounce")
    text = (
        "Item Name: Green tea\nBullet Point 1: Organic\nBullet Point 2: Loose\n"
        "Product Description: Good\nValue: 12.5\nUnit: Ounce\n"
    )
    expect(page.locator("#price")).to_have_text(shown(text))


def test_bullet_points_that_do_not_count_are_told(page: Page) -> None:
    """More bullet points than the API accepts are not left out silently."""
    lines = [f"Point {number}" for number in range(51)]
    page.get_by_label("Bullet points").fill("\n".join(lines))
    expect(page.get_by_text("based on the first 50 of 51 bullet points")).to_be_visible()
    text = "".join(f"Bullet Point {n}: {line}\n" for n, line in enumerate(lines[:50], start=1))
    expect(page.locator("#price")).to_have_text(
        shown(f"Item Name: \n{text}Value: nan\nUnit: None\n")
    )
    page.get_by_label("Bullet points").fill("\n".join(lines[:50]))
    expect(page.locator("#bullets-error")).to_be_hidden()


def test_a_dropped_picture_counts(page: Page) -> None:
    """A dropped picture is shown, sent unchanged, and can be removed again."""
    page.get_by_label("Title").fill("Green tea")
    drop(page, "#picture-drop", "tea.jpg", "image/jpeg", jpeg(4))
    expect(page.get_by_alt_text("The picture that you chose")).to_be_visible()
    expect(page.locator("#price")).to_have_text(shown(TEA, jpeg(4)))
    page.get_by_role("button", name="Remove the picture").click()
    expect(page.locator("#price")).to_have_text(shown(TEA))


def test_a_picture_alone_has_a_price(page: Page) -> None:
    """A picture without text gets a price."""
    page.get_by_label("Choose a picture").set_input_files(
        {"name": "tea.jpg", "mimeType": "image/jpeg", "buffer": jpeg(4)}
    )
    expect(page.locator("#price")).to_have_text(PRICE)
    expect(page.locator("#reasons")).to_contain_text("no text")


def test_a_file_that_is_not_a_picture_is_an_error(page: Page) -> None:
    """The message appears beside the drop zone and says what to choose instead."""
    drop(page, "#picture-drop", "tea.txt", "text/plain", b"tea")
    error = page.locator("#picture-error")
    expect(error).to_contain_text("“tea.txt” is not a picture that can be read")


def test_a_picture_that_is_too_large_is_an_error(browser: Browser, start: Start) -> None:
    """A picture over the limit of the server is refused before it is sent."""
    for page in _opened(browser, str(start(image_bytes=1_000).base_url)):
        drop(page, "#picture-drop", "tea.jpg", "image/jpeg", jpeg(1, 300, 300))
        expect(page.locator("#picture-error")).to_contain_text("too large")


def test_an_amount_that_is_not_a_number_is_an_error(page: Page) -> None:
    """The field is marked, for a screen reader as well, until the amount is a number."""
    page.get_by_label("Title").fill("Green tea")
    amount = page.get_by_label("Amount")
    amount.fill("twelve")
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#value-error")).to_be_visible()
    amount.fill("")
    expect(page.locator("#value-error")).to_be_hidden()
    expect(page.locator("#price")).to_have_text(shown(TEA))


def test_an_unreachable_server_is_an_error(page: Page) -> None:
    """The message replaces the previous price, until the server can be reached again."""
    page.get_by_label("Title").fill("Green tea")
    expect(page.locator("#price")).to_have_text(shown(TEA))
    page.context.set_offline(offline=True)
    page.get_by_label("Title").fill("Black tea")
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    expect(page.locator("#answer")).to_be_hidden()
    page.context.set_offline(offline=False)
    page.get_by_label("Title").fill("Green tea")
    expect(page.locator("#price")).to_have_text(shown(TEA))


def test_a_late_answer_is_not_shown(browser: Browser, start: Start, pricer: FakePricer) -> None:
    """The price belongs to what was typed last, whichever answer comes last."""
    for page in _opened(browser, str(start(workers=1).base_url)):
        pricer.gate.clear()
        page.get_by_label("Title").fill("Black tea")
        assert pricer.started.acquire(timeout=30)
        with page.expect_request("**/v1/price"):
            page.get_by_label("Title").fill("Green tea")
        pricer.gate.set()
        expect(page.locator("#price")).to_have_text(shown(TEA))


def test_a_csv_comes_back_with_prices(page: Page, tmp_path: Path) -> None:
    """The priced rows are a file to save, and the first of them are shown."""
    page.get_by_role("tab", name="A whole CSV").click()
    text = "sample_id,catalog_content\n" + "".join(f"{n},Tea {n}\n" for n in range(500))
    drop(page, "#table-drop", "teas.csv", "text/csv", text.encode())
    expect(page.locator("#done-text")).to_have_text("500 rows of “teas.csv” priced.")
    expect(page.locator("#table-body tr")).to_have_count(8)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save prices.csv").click()
    download.value.save_as(tmp_path / "prices.csv")
    lines = (tmp_path / "prices.csv").read_text().splitlines()
    assert lines[0] == "sample_id,price,low,high,reason"
    assert len(lines) == 501
    assert lines[7].startswith(f"6,{price_of(Product('Tea 6')):.4f},")


def test_a_bad_csv_is_an_error(page: Page) -> None:
    """The page shows the message of the server, and takes another CSV."""
    page.get_by_role("tab", name="A whole CSV").click()
    drop(page, "#table-drop", "teas.csv", "text/csv", b"id,text\n1,Tea\n")
    expect(page.locator("#table-failure")).to_contain_text("column 'sample_id' is missing")
    drop(page, "#table-drop", "teas.csv", "text/csv", b"sample_id,catalog_content\n1,Tea\n")
    expect(page.locator("#done-text")).to_have_text("1 row of “teas.csv” priced.")
    expect(page.locator("#table-failure")).to_be_hidden()


def test_a_csv_that_breaks_off_is_an_error(page: Page) -> None:
    """An answer that breaks off is not offered as a file."""
    page.get_by_role("tab", name="A whole CSV").click()
    text = b"sample_id,catalog_content\n" + b"1,Tea\n" * 1_000 + b"2,poison\n"
    drop(page, "#table-drop", "teas.csv", "text/csv", text)
    expect(page.locator("#table-failure")).to_contain_text("The connection broke")
    expect(page.locator("#done")).to_be_hidden()


def test_a_csv_can_be_stopped(browser: Browser, start: Start, pricer: FakePricer) -> None:
    """The page says that nothing was kept."""
    for page in _opened(browser, f"{start().base_url}/#many"):
        pricer.gate.clear()
        drop(page, "#table-drop", "a.csv", "text/csv", b"sample_id,catalog_content\n1,Tea\n")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#table-failure")).to_have_text("Stopped. Nothing was kept.")
        pricer.gate.set()


def test_everything_can_be_done_by_keyboard(page: Page) -> None:
    """Arrow keys change the tab, Tab goes through the fields, and the focus is visible."""
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("tab", name="One product")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="A whole CSV")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="A whole CSV")).to_be_visible()
    page.keyboard.press("Home")
    expect(page.get_by_role("tabpanel", name="One product")).to_be_visible()
    for label in ("Title", "Bullet points", "Description", "Amount", "Unit", "Choose a picture"):
        page.keyboard.press("Tab")
        expect(page.get_by_label(label)).to_be_focused()
    page.get_by_label("Title").focus()
    page.keyboard.type("Green tea")
    expect(page.locator("#price")).to_have_text(shown(TEA))
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_screen_reader_announces_the_price(page: Page) -> None:
    """A live region has the price once typing pauses."""
    page.get_by_label("Title").fill("Green tea")
    expect(page.get_by_role("status").first).to_contain_text(f"Price {shown(TEA)}, between")


def test_every_field_and_button_has_a_name(page: Page) -> None:
    """Every control has a label, a text or an ARIA name for screen readers."""
    names = page.evaluate(
        """[...document.querySelectorAll("input, textarea, button, a, progress")]
          .filter((e) => !e.labels?.length && !e.textContent.trim() && !e.ariaLabel)
          .map((e) => e.outerHTML)"""
    )
    assert names == []


@pytest.mark.parametrize("tab", ["one", "many"])
def test_a_phone_needs_no_horizontal_scrolling(
    browser: Browser, client: httpx.Client, tab: str
) -> None:
    """The page fits 360 pixels, with an answer or a table shown."""
    address = f"{client.base_url}/#{tab}"
    for page in _opened(browser, address, viewport={"width": 360, "height": 740}):
        if tab == "one":
            page.get_by_role("button", name="Fill in an example").click()
            expect(page.locator("#price")).to_have_text(PRICE)
            expect(page.locator("#brief-price")).to_have_text(PRICE)
        else:
            text = f"sample_id,catalog_content\n{'x' * 90},Tea\n"
            drop(page, "#table-drop", "teas.csv", "text/csv", text.encode())
            expect(page.locator("#done")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_markup_in_a_title_stays_text(page: Page) -> None:
    """Markup in the title of a similar product is shown as text."""
    page.get_by_label("Title").fill("Green tea")
    expect(page.locator("#similar")).to_contain_text("Mint Tea <b>loose</b>, 1 lb")
    expect(page.locator("#similar b")).to_have_count(0)


def test_the_api_is_described_offline(browser: Browser, client: httpx.Client) -> None:
    """The page of the API needs nothing from another server."""
    for page in _opened(browser, f"{client.base_url}/docs"):
        expect(page.locator("article h2")).to_have_count(6)
        expect(page.locator("article").first).to_contain_text("image_url")
        # JSON and forms share a path, and a form can hold a file.
        forms = page.get_by_role("heading", name="multipart/form-data")
        expect(forms).to_have_count(2)
        expect(page.get_by_role("row", name="image file")).to_have_count(2)


OWN = {"category:brand": "Yogi", "number:weight": "1.5", "date:added": "2024-02-29"}


@pytest.fixture(scope="module")
def mapped() -> Iterator[tuple[httpx.Client, FakePricer]]:
    """Return a client of a server for a catalogue with columns of its own, and its pricer."""
    columns = map_with(
        {
            "id": "sku",
            "text": ["name", "about"],
            "image": "photo",
            "categories": ["brand"],
            "numbers": ["weight"],
            "dates": ["added"],
        }
    )
    pricer = FakePricer(columns)
    with running(pricer) as client:
        yield client, pricer


def test_the_form_has_the_columns_of_the_catalogue(
    browser: Browser, mapped: tuple[httpx.Client, FakePricer]
) -> None:
    """Each column has a field of its kind; similar products are shown with theirs."""
    client, pricer = mapped
    for page in _opened(browser, str(client.base_url)):
        expect(page.locator("datalist option").first).to_have_attribute("value", "Yogi")
        expect(page.get_by_label("added")).to_have_attribute("type", "date")
        page.get_by_label("name").fill("Green tea")
        for wrong in ("heavy", "1,299"):
            page.get_by_label("weight").fill(wrong)
            expect(page.get_by_text("This must be a number")).to_be_visible()
            page.get_by_label("weight").fill("")
            expect(page.get_by_text("This must be a number")).to_be_hidden()
        page.get_by_label("weight").fill("1,5")
        page.get_by_label("brand").fill("Yogi")
        page.get_by_label("added").fill("2024-02-29")
        expect(page.locator("#similar li").first).to_contain_text("brand: Yogi")
        wait_for(page, lambda: dict(pricer.products[-1].own) == OWN)
        drop(page, "#picture-drop", "tea.jpg", "image/jpeg", jpeg(4))
        wait_for(page, lambda: pricer.products[-1].picture == jpeg(4))
        assert dict(pricer.products[-1].own) == OWN
        page.get_by_role("button", name="Clear everything").click()
        expect(page.locator("#prompt")).to_be_visible()


def wait_for(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(3_000):
        if holds():
            return
        page.wait_for_timeout(20)
    assert holds()


def test_a_file_in_the_catalogue_s_layout_comes_back(
    browser: Browser, mapped: tuple[httpx.Client, FakePricer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Titles stand beside ids; the pictures behind links are used if that is chosen."""
    client, pricer = mapped
    monkeypatch.setattr(price_service, "fetch", lambda *_: jpeg(4))
    for page in _opened(browser, f"{client.base_url}/#many"):
        page.get_by_label("Use the pictures").check()
        text = "sku,name,about,brand,weight,added,photo\n7,Tea,,Yogi,,,https://h.com/1.jpg\n"
        drop(page, "#table-drop", "teas.csv", "text/csv", text.encode())
        expect(page.locator("#table-head")).to_have_text("skutitlepricelowhighreason")
        expect(page.locator("#table-body tr").first).to_contain_text("7Tea")
        assert isinstance(pricer.products[-1].picture, Picture)


def test_titles_stand_beside_ids(page: Page) -> None:
    """They come from the file that was sent."""
    page.get_by_role("tab", name="A whole CSV").click()
    text = b'sample_id,catalog_content\n1,"Item Name: Green tea\nValue: 1\n"\n'
    drop(page, "#table-drop", "teas.csv", "text/csv", text)
    expect(page.locator("#table-body tr").first).to_contain_text("1Green tea")
