//! The stats page as a person uses it. Proxies and rows are found by the anchors that HAProxy's page
//! has always had and people link to (`#frontends/fe1`, `#frontends/Backend`).

use anyhow::{Context, Result, bail};

use crate::chromium::{Chromium, quoted};

/// Finds the row that an anchor `PROXY/NAME` stands in.
const ROW: &str = "
    const row = (anchor) => {
        const found = document.getElementsByName(anchor)[0] || document.getElementById(anchor);
        return found ? found.closest('tr') : null;
    };
    const anchors = () => [...document.querySelectorAll('a[name], [id]')]
        .map((a) => a.getAttribute('name') || a.id);
";

pub struct Page<'a> {
    browser: &'a Chromium,
}

/// A colour as the browser computes it, 0 to 255.
#[derive(Debug, PartialEq)]
pub struct Colour {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

impl Page<'_> {
    pub fn open<'a>(browser: &'a Chromium, address: &str) -> Result<Page<'a>> {
        browser.open(address)?;
        Ok(Page { browser })
    }

    pub fn title(&self) -> Result<String> {
        self.ask("return document.title;")
    }

    pub fn address(&self) -> Result<String> {
        self.ask("return document.location.href;")
    }

    /// The names of the proxies that are shown.
    pub fn proxies(&self) -> Result<Vec<String>> {
        let names = self.ask(
            "const all = anchors().filter((a) => a.includes('/')).map((a) => a.split('/')[0]);
             return [...new Set(all)].join(' ');",
        )?;
        Ok(names.split_whitespace().map(str::to_owned).collect())
    }

    /// The names of a proxy's rows, each of which must be a visible row of a table.
    pub fn rows_of(&self, proxy: &str) -> Result<Vec<String>> {
        let body = format!(
            "const own = anchors().filter((a) => a.startsWith({} + '/'));
             const seen = own.filter((a) => row(a) && row(a).getClientRects().length > 0);
             return [...new Set(seen)].map((a) => a.split('/')[1]).join(' ');",
            quoted(proxy)
        );
        Ok(self.ask(&body)?.split_whitespace().map(str::to_owned).collect())
    }

    pub fn text_of(&self, proxy: &str, name: &str) -> Result<String> {
        self.ask(&format!("return row({}).innerText;", anchor(proxy, name)))
    }

    /// The background of the row's last cells, where its state is written.
    pub fn colour_of(&self, proxy: &str, name: &str) -> Result<Colour> {
        let text = self.ask(&format!(
            "const cells = [...row({}).cells];
             let at = cells.find((cell) => /UP|DOWN|MAINT/.test(cell.innerText));
             const of = (element) => getComputedStyle(element).backgroundColor;
             while (at && of(at) === 'rgba(0, 0, 0, 0)') at = at.parentElement;
             return at ? of(at) : 'no state';",
            anchor(proxy, name)
        ))?;
        let numbers = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        let numbers: Vec<u8> = numbers
            .split(|c: char| !c.is_ascii_digit())
            .filter(|word| !word.is_empty())
            .map_while(|word| word.parse().ok())
            .collect();
        match numbers[..] {
            [red, green, blue, ..] => Ok(Colour { red, green, blue }),
            _ => bail!("{proxy}/{name} is coloured {text:?}"),
        }
    }

    /// Types into the scope box and presses return.
    pub fn type_into_scope(&self, word: &str) -> Result<()> {
        let body = format!(
            "const box = document.querySelector('input[name=scope]');
             if (!box || box.getClientRects().length === 0) return 'no scope box';
             box.value = {};
             box.form.requestSubmit();
             return '';",
            quoted(word)
        );
        self.must(&body)
    }

    /// Ticks a server, chooses an action and presses the form's button.
    pub fn choose_and_apply(&self, proxy: &str, name: &str, action: &str) -> Result<()> {
        let body = format!(
            "const tick = row({}).querySelector('input[type=checkbox][name=s]');
             if (!tick) return 'nothing to tick';
             tick.click();
             const form = tick.form;
             const choice = form.querySelector('select[name=action]');
             choice.value = {};
             if (choice.selectedIndex < 0) return 'no such action';
             const button = form.querySelector('input[type=submit], button[type=submit], button');
             if (!button) return 'no button';
             button.click();
             return '';",
            anchor(proxy, name),
            quoted(action)
        );
        self.must(&body)
    }

    fn must(&self, body: &str) -> Result<()> {
        let complaint = self.ask(body)?;
        if complaint.is_empty() { Ok(()) } else { bail!(complaint) }
    }

    fn ask(&self, body: &str) -> Result<String> {
        self.browser.run(&format!("{ROW} {body}")).context("asking the page")
    }
}

fn anchor(proxy: &str, name: &str) -> String {
    quoted(&format!("{proxy}/{name}"))
}
