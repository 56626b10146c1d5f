"""The names of columns in CSV files, in several languages, and how two names are compared."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_NUMBERED = re.compile(r"^[0-9]{1,2}\s*[.)]\s+")
_NAMES_BY_FIELD = {
    "date": (
        "date datetime timestamp tradedate tradingdate tradingday exchangedate day opentime gmttime "
        "localtime utctime snappedat unix unixtime unixtimestamp epoch time",
        "datum fecha data tarih дата 日期 日付 日付け 날짜",
    ),
    "open": (
        "open openprice openingprice opening openpx o",
        "eröffnung eröffn eröffnungskurs erster ouverture ouv apertura abertura otwarcie öppning açılış "
        "открытие откр 开盘 开盘价 開盤 開盤價 始値 시가 오픈",
    ),
    "high": (
        "high highprice highest dayhigh h",
        "hoch höchst höchstkurs tageshoch plushaut haut máximo máxima máx massimo max hoog najwyższy maksimum "
        "högst yüksek максимум макс 最高 最高价 最高價 高値 고가",
    ),
    "low": (
        "low lowprice lowest daylow l",
        "tief tiefst tiefstkurs tagestief plusbas bas mínimo mínima mín minimo min laag najniższy minimum lägst "
        "düşük минимум мин 最低 最低价 最低價 安値 저가",
    ),
    "close": (
        "close closelast closeprice closingprice closing closepx last lastprice price c",
        "schluss schluß schlusskurs schlußkurs zuletzt letzter kurs clôture dernier cierre último chiusura "
        "fechamento slot laatste zamknięcie ostatnio stängning senast kapanış şimdi закрытие закр цена 收盘 "
        "收盘价 收盤 收盤價 終値 종가",
    ),
    "adj_close": (
        "adjclose adjustedclose adjusted closeadj closeadjusted adjcloseprice adjclosingprice adj",
        "schlussbereinigt clôtureajustée 調整後終値 调整后收盘价",
    ),
    "volume": (
        "volume vol tradevolume sharevolume totalvolume tradedvolume volumetraded totaltradedquantity "
        "totaltradequantity totaltradedvolume tradedquantity noofshares sharestraded shares quantity qty tickvol "
        "tickvolume realvolume v",
        "volumen stück stücke wolumen volym hacim объём объем 成交量 成交股數 出来高 거래량",
    ),
    "dividends": ("dividends dividend divcash exdividend", "dividende dividenden dividendo dividendos"),
    "splits": ("stocksplits splits splitcoefficient splitfactor splitratio", ""),
    "ticker": ("ticker symbol name stock tic instrument", "kürzel symbole símbolo simbolo"),
}


def plain(text: str) -> str:
    """Return letters and digits alone, in lower case and without accents.

    >>> plain("Eröffn."), plain("BRK-B"), plain("Plus haut")
    ('eroffn', 'brkb', 'plushaut')
    """
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text.casefold())))


def words_of(label: str) -> list[str]:
    """Split a label into words; a number in front, as in `1. open`, is none of them.

    >>> words_of("1. open"), words_of("('Close', 'BRK.B')")
    (['open'], ['Close', 'BRK', 'B'])
    """
    words = re.split(r"[\s._:|/,'\"()\[\]-]+", _NUMBERED.sub("", label))
    return [word for word in words if word]


NAMES: Final = {
    field: tuple(dict.fromkeys(plain(name) for text in texts for name in text.split()))
    for field, texts in _NAMES_BY_FIELD.items()
}
"""The names of each field, as `plain` returns them; if a file has two of them, the earlier name wins."""

FIELDS: Final = {name: field for field, names in NAMES.items() for name in names}
"""The field of each name."""

NEEDED: Final = ("open", "high", "low", "close")
"""The columns that a file must have, besides the date."""
