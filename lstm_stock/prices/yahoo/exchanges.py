"""Yahoo's names of exchanges, and the ISO code of each."""

from __future__ import annotations

from typing import Final

from lstm_stock.prices.calendars import EVERY_DAY

_EXCHANGES_BY_YAHOO_NAMES = {
    "XNYS": "NYQ NMS NGM NCM NAS ASE PCX BTS PNK OQB OQX SNP DJI NIM NYS CXI",
    "XTSE": "TOR VAN CNQ NEO",
    "XMEX": "MEX",
    "BVMF": "SAO",
    "XBUE": "BUE",
    "XSGO": "SGO",
    "XLON": "LSE IOB FGI",
    "XDUB": "ISE",
    "XETR": "GER",
    "XFRA": "FRA",
    "XSTU": "STU",
    "XDUS": "DUS",
    "XHAM": "HAM",
    "XPAR": "PAR",
    "XAMS": "AMS",
    "XBRU": "BRU",
    "XLIS": "LIS",
    "XMIL": "MIL",
    "XMAD": "MCE",
    "XSWX": "EBS",
    "XWBO": "VIE",
    "XSTO": "STO",
    "XCSE": "CPH",
    "XHEL": "HEL",
    "XOSL": "OSL",
    "XICE": "ICE",
    "XTAL": "TAL",
    "XRIS": "RIS",
    "XLIT": "LIT",
    "XWAR": "WSE",
    "XPRA": "PRA",
    "XBUD": "BUD",
    "ASEX": "ATH",
    "XIST": "IST",
    "XTAE": "TLV",
    "XSAU": "SAU",
    "XJSE": "JNB",
    "XBOM": "BSE NSI",
    "XHKG": "HKG HKS",
    "XTKS": "JPX OSA",
    "XKRX": "KSC KOE",
    "XTAI": "TAI TWO",
    "XSHG": "SHH SHZ",
    "XSES": "SES",
    "XKLS": "KLS",
    "XBKK": "SET",
    "XIDX": "JKT",
    "XPHS": "PHS",
    "XASX": "ASX",
    "XNZE": "NZE",
    "CMES": "CME CBT NYM CMX",
    "24/5": "CCY",
    EVERY_DAY: "CCC",
}
YAHOO_EXCHANGES: Final = {
    name: code for code, names in _EXCHANGES_BY_YAHOO_NAMES.items() for name in names.split()
}
"""From the `exchangeName` of Yahoo's answers to an exchange that keeps the same sessions."""
