//! Codes of ISO 639-2 and 639-3 that stand for a language with a code of ISO 639-1.

use crate::Lang;

/// `code=short`; individual languages stand for the macrolanguage that data sets mean by them.
const ALIASES: &str = "
aar=aa abk=ab afr=af aka=ak twi=ak tw=ak fat=ak amh=am ara=ar arb=ar arg=an asm=as ava=av ayr=ay aym=ay aze=az azj=az azb=az bak=ba
bam=bm bel=be ben=bn bis=bi bod=bo tib=bo bos=bs bre=br bul=bg cat=ca ces=cs cze=cs cha=ch che=ce chv=cv cor=kw cos=co cym=cy wel=cy
dan=da deu=de ger=de div=dv dzo=dz ell=el gre=el eng=en epo=eo est=et ekk=et eus=eu baq=eu ewe=ee fao=fo fas=fa per=fa pes=fa prs=fa
fij=fj fin=fi fra=fr fre=fr fry=fy ful=ff fuv=ff fuc=ff gla=gd gle=ga glg=gl grn=gn gug=gn guj=gu hat=ht hau=ha heb=he iw=he hin=hi
hrv=hr hun=hu hye=hy arm=hy ibo=ig ind=id in=id isl=is ice=is ita=it jav=jv jw=jv jpn=ja kal=kl kan=kn kas=ks kat=ka geo=ka kaz=kk
khm=km kik=ki kin=rw kir=ky kom=kv kon=kg kor=ko kua=kj kur=ku kmr=ku lao=lo lat=la lav=lv lvs=lv lim=li lin=ln lit=lt ltz=lb lub=lu
lug=lg mah=mh mal=ml mar=mr mkd=mk mac=mk mlg=mg plt=mg mlt=mt mon=mn khk=mn mri=mi mao=mi msa=ms may=ms zsm=ms mya=my bur=my nav=nv
nde=nd nbl=nr nep=ne npi=ne nld=nl dut=nl nno=nn nob=nb nor=no nya=ny oci=oc ori=or ory=or orm=om gaz=om oss=os pan=pa pol=pl por=pt
pus=ps pbt=ps que=qu quy=qu quz=qu roh=rm ron=ro rum=ro mol=ro mo=ro run=rn rus=ru sag=sg san=sa sin=si slk=sk slo=sk slv=sl sme=se
smo=sm sna=sn snd=sd som=so sot=st spa=es sqi=sq alb=sq als=sq srd=sc srp=sr hbs=sr sh=sr ssw=ss sun=su swa=sw swh=sw swe=sv tah=ty
tam=ta tat=tt tel=te tgk=tg tgl=tl fil=tl tha=th tir=ti ton=to tsn=tn tso=ts tuk=tk tur=tr uig=ug ukr=uk urd=ur uzb=uz uzn=uz ven=ve
vie=vi wln=wa wol=wo xho=xh yid=yi ydd=yi ji=yi yor=yo zho=zh chi=zh cmn=zh yue=zh zul=zu nb=no
arz=ar acm=ar acq=ar aeb=ar ajp=ar apc=ar apd=ar ars=ar ary=ar arq=ar";

impl Lang {
    /// The language alone under its shortest code: `ar` of `ara`, `arb` and `ar-EG`; dialects that are written as their
    /// macrolanguage count as it. A code not known here stays as it is.
    pub fn canonical(&self) -> Lang {
        let short = |code: Lang| {
            let mut pairs = ALIASES.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.find(|(long, _)| *long == code.as_str()).map_or(code, |(_, short)| Lang::from_ascii(short.as_bytes()))
        };
        // `nob` is `nb`, and that is `no`.
        short(short(self.primary()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_one_language_are_one() {
        let short = |code: &str| code.parse::<Lang>().unwrap().canonical().to_string();
        for (code, want) in [
            ("ara", "ar"),
            ("arb-Arab", "ar"),
            ("nob", "no"),
            ("cmn-Hant", "zh"),
            ("yue", "zh"),
            ("iw", "he"),
            ("ckb", "ckb"),
        ] {
            assert_eq!(short(code), want);
        }
    }

    #[test]
    fn every_pair_is_of_two_codes() {
        for pair in ALIASES.split_whitespace() {
            let (long, short) = pair.split_once('=').unwrap();
            assert!(long.parse::<Lang>().is_ok() && (2..=3).contains(&short.len()), "{pair}");
        }
    }
}
