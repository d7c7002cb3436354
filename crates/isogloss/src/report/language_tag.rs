//! Languages as MTEB writes them: `fin-Latn`, the code of ISO 639-3 and the script of ISO 15924.

use isogloss_ir::Lang;

/// ISO 639-1 to 639-3.
const LONG: &str = "aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bi:bis bm:bam bn:ben bo:bod br:bre bs:bos \
    ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu cv:chv cy:cym da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas \
    ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her \
    ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor \
    kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal mn:mon \
    mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde ne:nep ng:ndo nl:nld nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan \
    pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk sl:slv sm:smo sn:sna so:som \
    sq:sqi sr:srp ss:ssw st:sot su:sun sv:swe sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah \
    ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho zu:zul";

/// Languages by the script that they are written in where that is not Latin.
const SCRIPTS: &[(&str, &str)] = &[
    ("Arab", "acm acq aeb ajp apc ara arb arq ars ary arz azb ckb dza fas kur pbt pes prs pus skr snd uig urd"),
    ("Armn", "hye"),
    ("Avst", "ave"),
    ("Beng", "asm ben mni"),
    ("Cans", "cre iku oji"),
    (
        "Cyrl",
        "abk ava bak bel bul che chu chv kaz khk kir kom krc mdf mhr mkd mon mrj myv orv oss rus sah srp tat tgk tyv ukr",
    ),
    (
        "Deva",
        "anp awa bgc bhb bhd bho bjj bns bra brx doi gbm gom hin hne kas kfg kfy mag mai mar max mup nep noe npi pli raj san",
    ),
    ("Ethi", "amh orm tig tir"),
    ("Geor", "kat"),
    ("Grek", "ell"),
    ("Gujr", "guj"),
    ("Guru", "pan"),
    ("Hang", "kor"),
    ("Hans", "cmn cmo wuu zho"),
    ("Hant", "yue"),
    ("Hebr", "heb ydd yid"),
    ("Jpan", "jpn"),
    ("Khmr", "khm"),
    ("Knda", "kan"),
    ("Laoo", "lao"),
    ("Mlym", "mal"),
    ("Mymr", "mya shn"),
    ("Nkoo", "nqo"),
    ("Olck", "sat"),
    ("Orya", "ori ory"),
    ("Sinh", "sin"),
    ("Taml", "tam"),
    ("Telu", "tel"),
    ("Tfng", "ber taq tzm zgh"),
    ("Thaa", "div"),
    ("Thai", "tha"),
    ("Tibt", "bod dzo"),
    ("Yiii", "iii"),
];

/// The tag of a language. What is in no table keeps its code and is taken to be in Latin script.
pub fn language_tag(lang: Lang) -> String {
    let primary = lang.primary();
    let long = LONG.split(' ').find_map(|pair| pair.strip_prefix(primary.as_str())?.strip_prefix(':'));
    let long = long.unwrap_or(primary.as_str());
    let declared =
        lang.as_str().split('-').skip(1).find(|part| part.len() == 4 && part.bytes().all(|b| b.is_ascii_alphabetic()));
    let usual = SCRIPTS
        .iter()
        .find(|(_, langs)| langs.split(' ').any(|lang| lang == long))
        .map_or("Latn", |(script, _)| script);
    format!("{long}-{}", declared.unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_either_length_with_their_scripts() {
        let cases = [
            ("fi", "fin-Latn"),
            ("deu", "deu-Latn"),
            ("ar", "ara-Arab"),
            ("zh", "zho-Hans"),
            ("zh-Hant-TW", "zho-Hant"),
            ("ja", "jpn-Jpan"),
            ("ko", "kor-Hang"),
            ("pt-BR", "por-Latn"),
            ("und", "und-Latn"),
        ];
        for (lang, tag) in cases {
            assert_eq!(language_tag(lang.parse().unwrap()), tag);
        }
    }
}
